//go:build unix

// Command bench measures what a PySock server costs: it runs one in a process of its own, loads it
// from this process over loopback, and divides the CPU time that the server has used by the
// messages that it has handled.
//
//	go run . [-seconds N] [-rows ingest,relay,echo,handshake,idle,burst]
//
// CPU per message is the stable figure; rates on a machine of few cores depend on what the load
// generator leaves over. For a latency without the scheduler of several cores in it, run it with
// taskset -c 0.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	serve := flag.Bool("serve", false, "be the server that is measured; bench starts it itself")
	seconds := flag.Float64("seconds", 2, "how long each row takes")
	rows := flag.String("rows", "ingest,relay,fanout,echo,handshake,idle,burst,group", "what to measure")
	flag.Parse()
	if *serve {
		check(serveUntilTold())
		return
	}
	ctx := context.Background()
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "row\tsize\tserver\t\trate\t\t")
	for _, row := range strings.Split(*rows, ",") {
		measure, ok := measures[row]
		if !ok {
			fmt.Fprintf(os.Stderr, "bench: there is no row %q\n", row)
			os.Exit(2)
		}
		check(measure(ctx, out, time.Duration(*seconds*float64(time.Second))))
		out.Flush()
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
