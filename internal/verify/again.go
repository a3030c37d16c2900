package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// again reads the events a second time that are missing in the copy or whose records differ:
// the table knows only their hashes.
func (v *run) again(ctx context.Context) error {
	if err := v.spill.flush(); err != nil {
		return err
	}
	var seconds []uint32
	v.table.each(func(e *entry) {
		if missing(e) || e.flags&spilled != 0 {
			seconds = append(seconds, e.second)
		}
	})
	for _, s := range spans(seconds) {
		err := v.read(ctx, s.from, s.to, v.second)
		if err == nil {
			err = v.repairRest(ctx)
		}
		if err != nil {
			return err
		}
	}
	gone, unseen := uint64(0), uint64(0)
	v.table.each(func(e *entry) {
		switch {
		case e.flags&handled != 0:
		case missing(e):
			gone++
		case e.flags&spilled != 0:
			unseen++
		}
	})
	if gone > 0 {
		v.result.Missing.Count += gone
		v.result.Notes = append(v.result.Notes, fmt.Sprintf("%d missing events have no id here: ZITADEL hid them (retention) while this ran", gone))
	}
	if unseen > 0 {
		v.result.Altered.Count += unseen
		v.result.Notes = append(v.result.Notes, fmt.Sprintf("%d records differ, and in which fields is unknown: ZITADEL hid their events (retention) while this ran", unseen))
	}
	return nil
}

func missing(e *entry) bool { return e.flags&required != 0 && e.seen == 0 }

type span struct{ from, to time.Time }

// spans joins seconds that are near each other, so that a few gaps in a year do not cost the
// year again.
func spans(seconds []uint32) (list []span) {
	if len(seconds) == 0 {
		return nil
	}
	slices.Sort(seconds)
	const most = 32
	for apart := uint32(600); ; apart *= 2 {
		list = list[:0]
		from, last := seconds[0], seconds[0]
		for _, s := range seconds {
			if s-last > apart {
				list = append(list, spanOf(from, last))
				from = s
			}
			last = s
		}
		list = append(list, spanOf(from, last))
		if len(list) <= most || apart > 1<<30 {
			return list
		}
	}
}

func spanOf(first, last uint32) span {
	return span{time.Unix(int64(first), 0).UTC(), time.Unix(int64(last)+1, 0).UTC()}
}

// second takes an event of the second reading.
func (v *run) second(ctx context.Context, e *record.Event) error {
	v.id = e.AppendID(v.id[:0])
	x := v.table.find(v.hash.id(string(v.id)))
	if x == nil || x.flags&handled != 0 {
		return nil
	}
	v.progress.n.Add(1)
	switch {
	case missing(x):
		x.flags |= handled
		found := Finding{ID: string(v.id), Type: e.Type, Time: e.Time, Reason: "ZITADEL has it, the copy does not"}
		if v.now().Sub(e.Time) < time.Hour {
			found.Reason += "; it is young, and may still be on its way"
		}
		v.result.Missing.add(found)
		return v.repair(ctx, e)
	case x.flags&spilled != 0:
		x.flags |= handled
		return v.compare(x, e)
	}
	return nil
}

// compare finds out in what the records of the copy differ from the event.
func (v *run) compare(x *entry, e *record.Event) error {
	found := Finding{ID: string(v.id), Type: e.Type, Time: e.Time}
	want := gjson.ParseBytes(v.line(e))
	for at := x.content; at != 0; {
		r, err := v.spill.read(at)
		if err != nil {
			return err
		}
		at = r.before
		got := gjson.ParseBytes(r.data)
		d := v.fields.differ(want, got)
		d.altered = v.withUser(d.altered, e, want, got)
		if len(d.altered) > 0 && !v.o.Settings.Format.Pseudonyms && tokens.Match(r.data) {
			other, err := v.veiled(e, got)
			if err != nil {
				return err
			}
			if len(other.altered) == 0 {
				d = other
			}
		}
		found.Place = fmt.Sprintf("%s:%d", v.o.Inputs[r.file].Name, r.line)
		if len(d.altered) > 0 {
			found.Fields, found.Reason = d.altered, v.reason(d.altered)
			v.result.Altered.add(found)
			continue
		}
		switch {
		case len(d.redacted)+len(d.clear)+len(d.tokens) > 0:
			v.hidden(found, d)
		default:
			v.result.Copy.Equal++
		}
	}
	return nil
}

// veiled compares a record that has pseudonyms with the one that pull would write with a key of
// its own: a pseudonym may only be where that record has one of the same kind. So nobody can
// hide a single value behind a text that looks like a pseudonym.
func (v *run) veiled(e *record.Event, got gjson.Result) (d difference, err error) {
	if v.veil == nil {
		f, err := format.Open(v.o.Settings.Format)
		if err != nil {
			return d, err
		}
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		f.Pseudonymize(pseudonym.New(key))
		v.veil = f.NewEncoder()
	}
	veiled := *e
	veiled.Payload = proto.CloneOf(e.Payload) // it is changed in place
	want := gjson.ParseBytes(v.veil.AppendLine(nil, &veiled))
	v.fields.anyKey = true
	defer func() { v.fields.anyKey = false }()
	d = v.fields.differ(want, got)
	d.altered = v.withUser(d.altered, &veiled, want, got)
	return d, nil
}

// hidden reports a record that is equal except for values that one side hides. Whoever can
// write to the SIEM can write [REDACTED] or a pseudonym over what ZITADEL says.
func (v *run) hidden(x Finding, d difference) {
	switch {
	case len(d.redacted) > 0:
		x.Reason = "redacted only in the copy: this version with these options does not redact it"
	case len(d.clear) > 0:
		x.Reason = "redacted only by this run, so that what the copy says was not compared; was it written with redact off? Then give --redact off"
	default:
		x.Reason = "pseudonyms, which were not compared: the key is missing"
		x.Fields = d.tokens
		v.result.Pseudonyms.add(x)
		return
	}
	x.Fields = tidy(slices.Concat(d.redacted, d.clear, d.tokens))
	v.result.Redacted.add(x)
}

// withUser takes out of altered what follows from a user that earlier events told: the class of
// some OCSF records depends on whether the user is known.
func (v *run) withUser(altered []string, e *record.Event, want, got gjson.Result) []string {
	user := at(got, "user.uid")
	if len(altered) == 0 || v.layout.format != OCSF || user.Type != gjson.String || user.Str == "" || at(want, "user.uid").Exists() || at(want, "class_uid").Int() == at(got, "class_uid").Int() {
		return altered
	}
	if v.schema == nil {
		var err error
		if v.schema, err = format.Table(v.o.Settings.Format.SchemaFile); err != nil {
			return altered // it was read before
		}
	}
	var a schema.Activity
	v.schema.Event(&a, e)
	a.User.ID = user.Str
	f := &v.o.Settings.Format
	w := schema.NewWriter(schema.Options{Format: schema.OCSF, OCSF19: f.OCSFVersion == config.OCSF19, KeepOriginal: f.KeepOriginal})
	other := v.fields.differ(gjson.ParseBytes(w.AppendLine(nil, &a)), got)
	altered = slices.DeleteFunc(altered, func(path string) bool {
		return under(path, "entity") || under(path, "actor.session") || v.mapped(path)
	})
	return tidy(append(altered, other.altered...))
}

// reason tells what an upgrade can do from what only a change of the copy can do.
func (v *run) reason(fields []string) string {
	for _, f := range fields {
		if !v.mapped(f) {
			return "the copy does not say what the event says"
		}
	}
	return "only fields that the table of event types gives: another version or schema_file wrote it, or it was changed"
}

// mapped reports whether the table of event types, and not the event, decides a field.
func (v *run) mapped(path string) bool {
	var names []string
	switch v.layout.format {
	case ECS:
		names = []string{"message", "event.kind", "event.category", "event.type", "event.outcome", "event.severity", "event.module", "event.dataset", "zitadel.tier", "zitadel.step", "zitadel.unknown_type", "zitadel.entity.type"}
	case OCSF:
		names = []string{
			"message", "category_uid", "category_name", "class_uid", "class_name", "activity_id", "activity_name", "type_uid", "type_name", "severity_id", "severity",
			"status_id", "status", "metadata.log_name", "unmapped.tier", "unmapped.step", "unmapped.unknown_type", "entity.type", "entity.type_id",
		}
	}
	return slices.ContainsFunc(names, func(name string) bool { return under(path, name) })
}

// repairTogether is how many missing events are emitted and acknowledged at once.
const repairTogether = 500

// repair emits a missing event, together with others.
func (v *run) repair(ctx context.Context, e *record.Event) error {
	if v.o.Repair == nil {
		return nil
	}
	v.toRepair = append(v.toRepair, e)
	if len(v.toRepair) < repairTogether {
		return nil
	}
	return v.repairRest(ctx)
}

func (v *run) repairRest(ctx context.Context) error {
	if len(v.toRepair) == 0 {
		return nil
	}
	n, err := v.o.Repair(ctx, v.toRepair)
	v.result.Repaired += uint64(n)
	v.toRepair = v.toRepair[:0]
	return err
}

// notes says what a reader of the report must know to believe it.
func (v *run) notes() {
	r := v.result
	add := func(n uint64, format string) {
		if n > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf(format, n))
		}
	}
	add(r.Copy.Retention, "%d records are older than the oldest event that ZITADEL shows (audit-log retention): they cannot be verified")
	add(r.Copy.Filtered, "%d records are of events that the options leave out (filters, tier, exclude_own): they were not compared")
	add(r.Copy.Late, "%d records are of events that became visible while this ran: run it again to compare them")
	if r.AcceptRedacted {
		add(r.Redacted.Count, "%d records have values that only one side redacts: these values were not compared, and --accept-redacted accepts that")
	} else {
		add(r.Redacted.Count, "%d records have values that only one side redacts. If another version wrote them, look at the fields and accept them with --accept-redacted")
	}
	if r.AcceptPseudonyms {
		add(r.Pseudonyms.Count, "%d records have pseudonyms: whether they stand for the values of the events was not compared, and --accept-pseudonyms accepts that")
	} else {
		add(r.Pseudonyms.Count, "%d records have pseudonyms, which cannot be compared without their key: give --pseudonyms on and --pseudonyms-key-file, or accept them with --accept-pseudonyms")
	}
	add(r.ZITADEL.Unreadable, "%d events cannot be given by ZITADEL, see the log")
	add(r.ZITADEL.Unproved, "%d groups of events of one date may be incomplete, see the log")
	if v.layout.format == IDs {
		r.Notes = append(r.Notes, "only the ids were compared, because the fields of the copy have other names")
	}
	if r.ZITADEL.Cut && v.o.From.Before(r.ZITADEL.Oldest) {
		r.Notes = append(r.Notes, "ZITADEL shows no events before "+r.ZITADEL.Oldest.UTC().Format(time.RFC3339)+" (audit-log retention): before that date nothing can be verified")
	}
	if v.now().Sub(v.o.To) < time.Hour {
		r.Notes = append(r.Notes, "the span ends less than an hour ago: an event of a transaction that was open for long can still appear in it")
	}
}
