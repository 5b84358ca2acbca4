package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

const help = `a line is said in the room that you entered last
/join ROOM       enter a room, or turn to one that you are in
/leave           leave the room
/who             who is in the room, and where else
/nick NAME       be called otherwise, until you come again; /nick alone: as before
/msg NAME TEXT   for NAME alone, who has to be in your key file: the server cannot read it`

var errNowhere = errors.New("you are in no room: /join one")

// obey does what a line says.
func (h *chat) obey(ctx context.Context, line string) error {
	command, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "":
		return nil
	case !strings.HasPrefix(line, "/"):
		return h.speak(ctx, line)
	case command == "/join":
		return h.enter(ctx, rest)
	case command == "/leave":
		return h.leave(ctx)
	case command == "/who":
		h.who()
		return nil
	case command == "/nick":
		return h.nick(ctx, rest)
	case command == "/msg":
		return h.message(ctx, rest)
	}
	fmt.Println(help)
	return nil
}

// speak says a line in the room.
func (h *chat) speak(ctx context.Context, text string) error {
	if h.room == "" {
		return errNowhere
	}
	m, err := say.Message(text)
	if err != nil {
		return err
	}
	report, err := h.Group(h.room).SendMessage(ctx, m)
	if err != nil {
		return err
	}
	if report.Reached+len(report.Unreached) == 0 {
		return errors.New("nobody else is here, but it is kept for who comes")
	}
	return report.Err() // those who did not get it
}

// enter enters a room, and prints what was said there last. What is said meanwhile may come twice.
func (h *chat) enter(ctx context.Context, room string) error {
	if err := h.JoinGroup(ctx, room); err != nil {
		return err
	}
	h.room = room
	fmt.Println("you are in", room)
	page, err := h.History(ctx, historyOf(room), 0, 0)
	if err != nil {
		return err
	}
	for _, e := range page.Entries {
		if text, err := say.Decode(e.Message); err == nil {
			fmt.Printf("[%s] earlier, %s: %q\n", room, e.Message.From.Name, text)
		}
	}
	return nil
}

// leave leaves the room, for another that we are in if there is one.
func (h *chat) leave(ctx context.Context) error {
	if h.room == "" {
		return errNowhere
	}
	if err := h.LeaveGroup(ctx, h.room); err != nil {
		return err
	}
	h.room = ""
	if rooms := h.Groups(); len(rooms) > 0 {
		h.room = rooms[0]
	}
	fmt.Println("you are in", cmp.Or(h.room, "no room"))
	return nil
}

// who prints who is in the room.
func (h *chat) who() {
	for _, p := range h.people.in(h.room) {
		fmt.Printf("%s is %v, in %s\n", p.Name, p.State, strings.Join(p.Groups, ", "))
	}
}

// nick takes another name, "" for the one that the server knows us by.
func (h *chat) nick(ctx context.Context, name string) error {
	if err := h.Rename(ctx, name); err != nil {
		return err
	}
	fmt.Println("you are", h.Name())
	return nil
}

// message sends a line to one person.
func (h *chat) message(ctx context.Context, rest string) error {
	name, text, _ := strings.Cut(rest, " ")
	m, err := whisper.Message(text)
	if err != nil {
		return err
	}
	return h.SendMessageTo(ctx, name, m)
}
