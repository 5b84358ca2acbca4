package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// historyLines is how much of a room is kept.
const historyLines = 20

// serve serves rooms until ctx ends.
func serve(ctx context.Context, keyFile string, rooms []string) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	srv := &server.Server{Keys: id}
	if err := furnish(srv, rooms); err != nil {
		return err
	}
	srv.OnJoin = func(s *server.Session) { fmt.Println(s.Peer().Name, "is connected") }
	srv.OnLeave = func(s *server.Session, why error) {
		fmt.Printf("%s is not connected any more: %v\n", s.Peer().Name, why)
	}
	srv.OnRename = func(s *server.Session, old string) { fmt.Println(old, "is now", s.Peer().Name) }
	srv.OnGroupChange = func(s *server.Session, room string, joined bool) {
		fmt.Println(s.Peer().Name, map[bool]string{true: "enters", false: "leaves"}[joined], room)
	}
	ln, err := net.Listen("tcp", id.Listen)
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	return srv.Serve(ctx, ln)
}

// furnish says which rooms there are, and what clients may do: nothing of this unless somebody says
// so. What was said in a room only those may read who are in it, which needs no saying.
func furnish(srv *server.Server, rooms []string) error {
	srv.Histories = map[string]*channel.History{}
	for _, room := range rooms {
		if err := keys.CheckName(room); err != nil {
			return err
		}
		srv.Histories[historyOf(room)] = channel.NewHistory(channel.HistoryConfig{Count: historyLines})
	}
	srv.AllowGroups = func(_ channel.Peer, wanted []string) error {
		for _, room := range wanted {
			if !slices.Contains(rooms, room) {
				return refused("there is no such room, but " + strings.Join(rooms, ", "))
			}
		}
		return nil
	}
	srv.AllowLeave = func(channel.Peer, string) error { return nil }
	srv.AllowRename = func(channel.Peer, string) error { return nil }
	srv.AllowGroupSend = func(from channel.Peer, room string, m *channel.Message) error {
		if !slices.Contains(from.Groups, room) || m.Channel != say.Name() {
			return refused("only who is in a room may speak there")
		}
		return nil
	}
	return nil
}

func refused(why string) error { return &channel.Error{Code: channel.CodeRefused, Text: why} }
