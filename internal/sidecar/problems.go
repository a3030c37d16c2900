package sidecar

import (
	"errors"
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const (
	// slowAfter is how long records may wait for the sink, and the endpoint for its
	// address, before the page says so. It is sooner than unhealthyAfter: a probe
	// restarts things, a page only informs.
	slowAfter = 15 * time.Second
	// refusedWithin is how long a refused webhook is a problem of now.
	refusedWithin = 5 * time.Minute
)

// problems are what is wrong with a source now, each with its fix.
func (f *Feed) problems(now, began time.Time, h *histories) []page.Problem {
	var list []page.Problem
	add := func(level page.Level, since time.Time, fix, what string, args ...any) {
		list = append(list, page.Problem{Level: level, Source: f.Settings.Instance, Since: since, Fix: fix, What: fmt.Sprintf(what, args...)})
	}
	f.reading(add)
	f.handingOver(now, add)
	f.state(add)
	if f.Listener != nil {
		f.webhooks(now, began, h, add)
	}
	// The probe may know more, such as a ZITADEL that hangs without an error.
	if health := f.health(now, began); !health.Well && len(list) == 0 {
		add(page.Failing, time.Time{}, "See the messages below. If there are none, check the network between here, ZITADEL and the receiver.", "%s", health.Problem)
	}
	if len(list) == 0 {
		f.behind(now, add)
	}
	f.lost(add)
	return list
}

// adder adds a problem.
type adder func(level page.Level, since time.Time, fix, what string, args ...any)

// reading is about the way from ZITADEL.
func (f *Feed) reading(add adder) {
	since, err := f.Reader.Trouble()
	if err == nil {
		if text, since := f.Pipe.Stopped(); text != "" {
			add(page.Failing, since, "It is tried again within five minutes. If it stops again, report the message.", "%s", text)
		}
		return
	}
	e, ok := errors.AsType[*zitadel.Error](err)
	if !ok {
		e = &zitadel.Error{Class: zitadel.Retry, Message: err.Error()}
	}
	what := fmt.Sprintf("%s: %s (%s)", e.URL, e.Message, e.Code)
	if e.URL == "" {
		what = e.Message
	}
	switch {
	case e.Class == zitadel.Throttled:
		add(page.Warning, since, sentence(e.Fix, "Wait: it is asked again by itself."), "ZITADEL throttles. %s", what)
	case e.Class == zitadel.Stop:
		add(page.Failing, since, sentence(e.Fix, "The message says why.")+" It is tried again every one to five minutes; a restart is not needed.", "ZITADEL refuses. %s", what)
	default:
		add(page.Failing, since, sentence(e.Fix, "Wait: it is asked again by itself, and nothing is lost."), "ZITADEL does not answer. %s", what)
	}
}

// handingOver is about the way to the sink.
func (f *Feed) handingOver(now time.Time, add adder) {
	if text, since := f.retry.Trouble(); text != "" {
		add(page.Failing, since, "Check that the receiver runs and has room. Nothing is lost: records wait, and are sent again by themselves.", "Records are not taken. %s", text)
		return
	}
	if waits := f.Pipe.WaitingSince(); !waits.IsZero() && now.Sub(waits) > slowAfter {
		add(page.Warning, waits, "Check whether the receiver is overloaded or its disk is full. Nothing is lost: reading waits.", "Records wait, and the receiver has taken none of them.")
	}
}

// state is about the state.
func (f *Feed) state(add adder) {
	if text, since := f.Pipe.StateTrouble(); text != "" {
		fix := "Make room on the disk of state_path, and let this user write there. It is tried again by itself."
		if f.Settings.StatePath == "" {
			fix = "Repair the store that the setting state names, or the network to it. It is tried again by itself."
		}
		add(page.Failing, since, fix, "The state cannot be written. %s", text)
	}
}

// refusalFixes say what to do about refused webhooks, by reason.
var refusalFixes = map[string]string{
	"no_target":      "The path of the request names no file of webhook_keys_dir: compare the target's endpoint in ZITADEL with the names of the files.",
	"no_signature":   "Somebody else than ZITADEL sends, or a proxy removes the header ZITADEL-Signature.",
	"bad_header":     "Somebody else than ZITADEL sends, or a proxy changes the header ZITADEL-Signature.",
	"bad_signature":  "The target has another signing key than its file in webhook_keys_dir: run zitadel-siem setup again. Or somebody else than ZITADEL sends.",
	"bad_secret":     "The script has another secret than the file in webhook_keys_dir. Or somebody else sends.",
	"bad_token":      "The token of the request does not verify: check the payload type of the target, and url. Or somebody else than ZITADEL sends.",
	"bad_time":       "The clocks of this machine and of ZITADEL differ: set them right. Or somebody repeats an old request.",
	"forgotten":      "The request is too old: ZITADEL was away, or somebody repeats an old request. Events come by pulling.",
	"other_instance": "The target belongs to another instance than this source: correct its endpoint in ZITADEL.",
	"not_spooled":    "The spool is full, or its disk fails: make room, raise spool_size, or check the receiver of the records.",
	"overloaded":     "More requests come at once than fit into memory. ZITADEL does not repeat them; events come by pulling.",
	"no_key_set":     "The keys of the instance cannot be fetched: check url and the network to ZITADEL.",
}

// webhooks is about the endpoint.
func (f *Feed) webhooks(now, began time.Time, h *histories, add adder) {
	if f.Listener.Addr() == "" && now.Sub(began) > slowAfter {
		add(page.Failing, time.Time{}, "See the messages below. Another process may have the address or the spool: give another webhook_listen or spool_path, or stop that process. Events come by pulling meanwhile.",
			"Webhooks are not received.")
	}
	refused := h.refused.Grew(refusedWithin)
	reason := mostOften(f.Listener.RefusedBy())
	if refused == 0 || reason == "" {
		return
	}
	fix, ok := refusalFixes[reason]
	if !ok {
		fix = "Check what sends to this address. Requests of ZITADEL have another form."
	}
	add(page.Warning, time.Time{}, fix, "%d webhook requests were refused within %s, most often since the start for the reason %s.", refused, terminal.Roughly(refusedWithin), reason)
}

// behind is about the lag, if nothing else explains it.
func (f *Feed) behind(now time.Time, add adder) {
	lag, caughtUp := f.lag(now)
	switch {
	case lag < 0, caughtUp && lag <= f.behindAfter():
	case f.Pipe.UnderWay() > f.Settings.BufferSize/2:
		add(page.Notice, time.Time{}, "Nothing while the lag falls. If it grows, the receiver is too slow: the buffer is more than half full.", "Reading is %s behind.", terminal.Roughly(lag))
	default:
		add(page.Notice, time.Time{}, "Nothing while the lag falls. If it grows, ZITADEL answers too slowly: look at its database.", "Reading is %s behind.", terminal.Roughly(lag))
	}
}

// lost is about what may be missing in the records since the start.
func (f *Feed) lost(add adder) {
	r, stats := &f.Reader, &f.Pipe.Stats
	for _, l := range []struct {
		n         uint64
		what, fix string
	}{
		{r.HolesGivenUp.Load(), "gaps in the sequence of an aggregate were given up after one hour", "Look up the aggregates, which the log names, in ZITADEL. If events exist there, raise overlap."},
		{r.Unreadable.Load(), "events cannot be returned by ZITADEL", "Look up the events, which the log names, in ZITADEL's database."},
		{r.Unproved.Load(), "groups of events with one creation date may be incomplete", "Compare the groups, which the log names, with ZITADEL's database."},
		{f.RulesFailed(), "records were not evaluated by every rule, because one panicked", "Alerts may be missing. This is a bug: report the message of the log."},
		{f.RulesBlind(), "users, addresses or the like had no room in the memory of rules", "Alerts about them may be missing: look for somebody who makes events of very many of them."},
		{stats.BesideDropped.Load(), "alerts about this reader were dropped, because the receiver took nothing for long", "Look at the heartbeats of that time."},
		{stats.Damaged.Load(), "events came out without their payload, or not at all", "This is a bug: report the message of the log."},
	} {
		if l.n > 0 {
			add(page.Notice, time.Time{}, l.fix, "Since the start, %d %s.", l.n, l.what)
		}
	}
}

// sentence is a fix with a capital letter and a full stop, or else other.
func sentence(fix, other string) string {
	if fix == "" {
		return other
	}
	if c := fix[0]; 'a' <= c && c <= 'z' {
		fix = string(c-'a'+'A') + fix[1:]
	}
	return fix + "."
}
