package setup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table holds the targets of each execution for events.
type table map[condition][]string

// inherited returns the targets that events of c are sent to while c has no
// execution of its own.
func (t table) inherited(c condition) []string {
	closest, found := condition(""), false
	for _, other := range slices.Sorted(maps.Keys(t)) { // ZITADEL takes the last that fits
		if other.covers(c) {
			closest, found = other, true
		}
	}
	if !found {
		return nil
	}
	return t[closest]
}

// set changes an execution; without targets it ends.
func (t table) set(c condition, targets []string) {
	if len(targets) == 0 {
		delete(t, c)
		return
	}
	t[c] = targets
}

// route changes the executions for events so that our target is in those of
// wanted, and in no other.
func (r *run) route(ctx context.Context, all table, wanted []condition) error {
	own := newID
	if r.target != nil {
		own = r.target.ID
	}
	for _, c := range wanted {
		targets, text := all.with(c, own)
		if text == "" {
			r.Say(Kept, fmt.Sprintf("%s go to target %s%s", c, r.Name, others(without(targets, own), "and to")))
			continue
		}
		if err := r.set(ctx, all, c, targets, fmt.Sprintf("send %s to target %s%s", c, r.Name, text)); err != nil {
			return err
		}
	}
	for _, c := range slices.Backward(slices.Sorted(maps.Keys(all))) { // the close ones first
		if !slices.Contains(all[c], own) || slices.Contains(wanted, c) {
			continue
		}
		rest := all.less(c, own)
		if err := r.set(ctx, all, c, rest, fmt.Sprintf("take target %s out of the execution of %s%s", r.Name, c, others(rest, "which keeps"))); err != nil {
			return err
		}
	}
	r.reportHidden(all, wanted, own)
	return nil
}

func (r *run) set(ctx context.Context, all table, c condition, targets []string, text string) error {
	if err := r.do(text, func() error { return r.client.SetExecution(ctx, c.proto(), targets) }); err != nil {
		return err
	}
	all.set(c, targets)
	return nil
}

// with returns the targets of c with ours added, and what to say about the
// others. The text is empty if ours is among them already.
func (t table) with(c condition, own string) (targets []string, text string) {
	targets, is := t[c]
	if is {
		if slices.Contains(targets, own) {
			return targets, ""
		}
		return append(slices.Clone(targets), own), others(targets, "behind") + "; its execution is there"
	}
	inherited := without(t.inherited(c), own)
	return append([]string{own}, inherited...), others(inherited, "and on to") + "; a new execution"
}

// less returns the targets of c without ours. An execution that we created (ours
// comes first) ends if the rest is what it would inherit anyway.
func (t table) less(c condition, own string) []string {
	rest := without(t[c], own)
	if t[c][0] == own && slices.Equal(rest, without(t.inherited(c), own)) {
		return nil
	}
	return rest
}

// reportHidden names executions that keep wanted events from us.
func (r *run) reportHidden(all table, wanted []condition, own string) {
	var hidden []string
	for _, c := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(all[c], own) && slices.ContainsFunc(wanted, func(w condition) bool { return w.covers(c) }) {
			hidden = append(hidden, c.item())
		}
	}
	if len(hidden) > 0 {
		r.Say(Note, fmt.Sprintf("these have closer executions of their own, so their events are not sent here by webhook (pulling reads them): %s; to receive them too: --events %s,%s",
			strings.Join(hidden, ", "), strings.Join(r.Events, ","), strings.Join(hidden, ",")))
	}
}

func without(targets []string, own string) []string {
	return slices.DeleteFunc(slices.Clone(targets), func(t string) bool { return t == own })
}

// others is ", how N other targets".
func others(targets []string, how string) string {
	switch n := len(targets); n {
	case 0:
		return ""
	case 1:
		return ", " + how + " another target"
	default:
		return fmt.Sprintf(", %s %d other targets", how, n)
	}
}
