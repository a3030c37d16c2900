package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// membersFlag is --members, for people, or --members=json.
type membersFlag string

const (
	membersTable membersFlag = "table"
	membersJSON  membersFlag = "json"
)

// IsBool lets the flag stand without a value.
func (membersFlag) IsBool() bool { return true }

// Decode reads the value, if there is one.
func (f *membersFlag) Decode(ctx *kong.DecodeContext) error {
	*f = membersTable
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		*f = membersFlag(fmt.Sprint(ctx.Scan.Pop().Value))
	}
	if *f != membersTable && *f != membersJSON {
		return fmt.Errorf("is %q: write --members, or --members=json", string(*f))
	}
	return nil
}

// printMembers prints who holds what. It reads no source, and needs no token.
func (c *pullCommand) printMembers(ctx context.Context, console *terminal.Console) error {
	store, _, err := storeFlags{c.Config, c.State}.open("--members", console)
	if err != nil {
		return err
	}
	defer statestore.Close(store)
	ctx, cancel := context.WithTimeout(ctx, statestore.Within)
	defer cancel()
	holdings, err := statestore.Look(ctx, store)
	if err != nil {
		return fmt.Errorf("the store cannot be asked who holds what: %w", statestore.Explain(err))
	}
	if c.Members == membersJSON {
		return writeMembersJSON(os.Stdout, holdings)
	}
	return writeMembers(os.Stdout, holdings)
}

// nobody stands in place of a member.
const nobody = "(nobody)"

// writeMembers writes a table for people.
func writeMembers(w io.Writer, h statestore.Holdings) error {
	if h.Refused != "" {
		defer fmt.Fprintf(w, "\nMembers take no source: the store went back: %s; %s.\n", zitadel.Line(h.Refused, maxWhy), cluster.FixRefused)
	}
	if len(h.Members) == 0 {
		defer fmt.Fprintln(w, "No member has a lease: no process reads from this store now.")
		if len(h.Nobody) == 0 {
			return nil
		}
		defer fmt.Fprintln(w)
	}
	list := listNumbers(h.Members)
	if len(list) > 1 {
		defer fmt.Fprint(w, "\nThe members have different lists of sources (LIST), so no source moves to the one that has fewer. Give all members the same configuration.\n")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, holds, waits, number, sources string) {
		if len(list) > 1 {
			sources = number + "\t" + sources
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, holds, waits, sources)
	}
	row("MEMBER", "HOLDS", "WAITS FOR", "LIST", "SOURCES")
	for _, m := range h.Members {
		row(shownName(m.Name), strconv.Itoa(len(m.Held)), strconv.Itoa(m.Waiting), strconv.Itoa(list[m.List]), shownNames(m.Held))
	}
	if len(h.Nobody) > 0 {
		row(nobody, strconv.Itoa(len(h.Nobody)), "", "", shownNames(h.Nobody))
	}
	return t.Flush()
}

// listNumbers numbers the lists of sources that members have, from 1.
func listNumbers(members []cluster.MemberStatus) map[string]int {
	numbers := map[string]int{}
	for _, m := range members {
		if numbers[m.List] == 0 {
			numbers[m.List] = len(numbers) + 1
		}
	}
	return numbers
}

const (
	maxShown = 12 // names in a row; JSON has all
	maxName  = 100
	maxWhy   = 300
)

// shownName is one cell: whoever can write to the store chose the text.
func shownName(name string) string { return zitadel.Line(name, maxName) }

func shownNames(names []string) string {
	var parts []string
	for _, name := range names[:min(len(names), maxShown)] {
		parts = append(parts, shownName(name))
	}
	if more := len(names) - maxShown; more > 0 {
		parts = append(parts, "and "+terminal.Thousands(uint64(more))+" more")
	}
	return strings.Join(parts, ", ")
}

// writeMembersJSON writes a line for each member, and one whose member is null for the
// sources that nobody holds.
func writeMembersJSON(w io.Writer, h statestore.Holdings) error {
	out := json.NewEncoder(w)
	line := func(member *string, held []string, waiting int, list string) error {
		return out.Encode(struct {
			Member  *string  `json:"member"`
			Holds   int      `json:"sources_held"`
			Waiting int      `json:"sources_waiting"`
			List    string   `json:"list,omitempty"` // the same text means the same list
			Sources []string `json:"sources"`
		}{member, len(held), waiting, list, append([]string{}, held...)})
	}
	for _, m := range h.Members {
		if err := line(&m.Name, m.Held, m.Waiting, m.List); err != nil {
			return err
		}
	}
	if len(h.Nobody) == 0 {
		return nil
	}
	return line(nil, h.Nobody, 0, "")
}
