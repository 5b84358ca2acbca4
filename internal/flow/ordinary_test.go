package flow

import (
	"testing"

	"pgregory.net/rapid"
)

// A sender and a receiver, whatever is under way between them and whatever is given up: no message
// is beyond what the receiver allows, small ones use no credit that was granted to large ones, and
// nothing waits for ever.
//
// Length: one model, whose steps share all of its state.
func TestCreditAgainstWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const maxMessage = 2 << 20
		type message struct{ cost, announce, skip uint64 }
		type totals struct{ taken, allowed uint64 }
		type waiting struct {
			w    *Waiter
			cost uint64
		}
		c, w, p := NewCredit(), NewWindow(), NewPool(maxMessage)
		var toReceiver []message
		var toSender []totals
		var waiters, reserved []waiting
		var sent, skipAt, skip uint64
		var queue, begun []uint64 // costs at the receiver that are not taken; large ones that are in handlers
		var received, taken uint64
		announced := false
		told := w
		sendReady := func() {
			for len(waiters) > 0 && ready(waiters[0].w) {
				reserved = append(reserved, waiters[0])
				waiters = waiters[1:]
			}
			if sent != c.Sent {
				return
			}
			if cost, ok := c.Announce(); ok {
				toReceiver = append(toReceiver, message{announce: cost})
			}
		}
		// send sends what is reserved, which takes some time after Ready.
		send := func() {
			switch {
			case skip > 0 && skipAt == sent:
				toReceiver = append(toReceiver, message{skip: skip})
				sent += skip
				skip = 0
			case len(reserved) > 0 && reserved[0].w.At() == sent:
				toReceiver = append(toReceiver, message{cost: reserved[0].cost})
				sent += reserved[0].cost
				reserved = reserved[1:]
			case skip > 0 || len(reserved) > 0:
				t.Fatal("there is a gap")
			}
			sendReady()
		}
		receive := func() {
			m := toReceiver[0]
			toReceiver = toReceiver[1:]
			received += m.cost + m.skip
			switch {
			case m.announce > 0:
				if !w.Announce(received, m.announce) {
					t.Fatal("one announcement at a time")
				}
				announced = true
			case received > told.Allowed:
				t.Fatalf("%d are received, %d allowed", received, told.Allowed)
			case m.skip == 0 && m.cost <= Guaranteed && received > told.Ordinary:
				t.Fatalf("a small message to %d, beyond %d", received, told.Ordinary)
			default:
				queue = append(queue, m.cost+m.skip)
				if m.skip > 0 {
					queue[len(queue)-1] |= 1 << 63
				}
			}
		}
		take := func() {
			cost := queue[0] &^ (1 << 63)
			if queue[0] == cost && cost > Guaranteed {
				w.Hold(cost)
				begun = append(begun, cost)
			}
			queue = queue[1:]
			taken += cost
		}
		finish := func(i int) {
			w.Drop(begun[i], p)
			begun = append(begun[:i], begun[i+1:]...)
		}
		tell := func() {
			if announced && w.Grant(p) {
				announced = false
			}
			w.Open(taken, p, !announced)
			told = w
			toSender = append(toSender, totals{taken, w.Allowed})
		}
		update := func() {
			more, at, err := c.Update(toSender[0].taken, toSender[0].allowed)
			if err != nil {
				t.Fatal(err)
			}
			if more > 0 {
				if skip > 0 {
					t.Fatal("an announcement while the last one's credit is not given back")
				}
				skip, skipAt = more, at
			}
			toSender = toSender[1:]
			sendReady()
		}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0:
				cost := rapid.OneOf(rapid.Uint64Range(32, Guaranteed), rapid.Uint64Range(Guaranteed+1, maxMessage)).Draw(t, "cost")
				if c.Reserve(cost) {
					reserved = append(reserved, waiting{&Waiter{at: c.Sent - cost}, cost})
				} else {
					waiters = append(waiters, waiting{c.Wait(cost), cost})
				}
				sendReady()
			case 1:
				if len(waiters) > 0 {
					i := rapid.IntRange(0, len(waiters)-1).Draw(t, "canceled")
					if c.Cancel(waiters[i].w) {
						waiters = append(waiters[:i], waiters[i+1:]...)
					}
					sendReady()
				}
			case 2:
				if len(toReceiver) > 0 {
					receive()
				}
			case 3:
				if len(queue) > 0 {
					take()
				}
			case 4:
				if len(begun) > 0 {
					finish(rapid.IntRange(0, len(begun)-1).Draw(t, "finished"))
				}
			case 5:
				tell()
			case 6:
				if len(toSender) > 0 {
					update()
				}
			case 7:
				send()
			}
			held := uint64(0)
			for _, cost := range begun {
				held += cost - Guaranteed
			}
			ahead := w.Allowed - w.Taken - Guaranteed
			if u := p.Used(); u < max(ahead, held) || u > ahead+held || u > maxMessage+GrowShare {
				t.Fatalf("the pool says %d, the window is %d ahead, %d are held", u, ahead, held)
			}
		}
		for range 2*len(waiters) + 5 {
			for len(reserved) > 0 || skip > 0 {
				send()
			}
			for len(toReceiver) > 0 {
				receive()
			}
			for len(queue) > 0 {
				take()
			}
			for len(begun) > 0 {
				finish(0)
			}
			tell()
			for len(toSender) > 0 {
				update()
			}
		}
		if len(waiters) > 0 || c.Sent != received {
			t.Fatalf("%d wait; %d are sent, %d received", len(waiters), c.Sent, received)
		}
		w.Release(p)
		if p.Used() != 0 {
			t.Fatalf("%d are left", p.Used())
		}
	})
}
