package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
)

// record decides what one record of the copy is.
func (v *run) record(line gjson.Result, p place) error {
	r, id, err := v.locate(line)
	if err != nil {
		v.broken(p, err)
		return nil
	}
	v.result.Copy.Records++
	if id == "" {
		v.result.Copy.Unknown++
		return nil
	}
	e := v.table.find(v.hash.id(id))
	if e == nil {
		v.unmet(r, id, p)
		return nil
	}
	if e.seen > 0 {
		v.result.Doubled.add(Finding{ID: id, Place: p.String()})
	}
	e.seen = min(e.seen, 254) + 1
	switch {
	case v.layout.format == IDs:
		v.result.Copy.Equal++
		return nil
	case e.flags&required == 0 && e.shape == noShape: // the tier leaves it out
		v.result.Copy.Filtered++
		return nil
	case e.shape != noShape && e.flags&spilled == 0 && v.hashCopy(r, e.shape) == e.content:
		v.result.Copy.Equal++
		return nil
	}
	before := uint64(0)
	if e.flags&spilled != 0 {
		before = e.content
	}
	e.content, err = v.spill.add(spilledRecord{before: before, file: p.file, line: uint64(p.line), data: []byte(r.Raw)})
	e.flags |= spilled
	return err
}

// locate finds the record of a line where the first lines had it, or else anywhere.
func (v *run) locate(line gjson.Result) (r gjson.Result, id string, err error) {
	r, err = find(line, v.layout.root)
	if err == nil && r.Exists() {
		if id := at(r, v.layout.id); id.Type == gjson.String && id.Str != "" {
			if v.layout.format != IDs {
				if format, _ := recognize(r); format != "" && format != v.layout.format {
					return r, "", fmt.Errorf("a record in the format %s among those in %s: verify them in two runs", format, v.layout.format)
				}
			}
			return r, id.Str, nil
		}
	}
	if v.layout.format == IDs {
		return r, "", err
	}
	l, r, otherErr := locate(line)
	switch {
	case l.format == "":
		return r, "", errors.Join(err, otherErr)
	case l.format != v.layout.format:
		return r, "", fmt.Errorf("a record in the format %s among those in %s: verify them in two runs", l.format, v.layout.format)
	}
	return r, at(r, l.id).Str, nil
}

// suspect is a record that no event of the reading has.
type suspect struct {
	id    string
	typ   string
	time  time.Time
	place string
}

// maxSuspects bounds the records that are asked for one by one.
const maxSuspects = 10_000

// unmet decides about a record that no event has, as far as it says itself.
func (v *run) unmet(r gjson.Result, id string, p place) {
	c := &v.result.Copy
	instance, _, _ := strings.Cut(id, "/")
	switch {
	case !v.isEvent(r):
		c.NoEvents++
		return
	case instance != v.o.Settings.Instance:
		v.instances.add(instance)
		return
	}
	typ, created := v.claims(r)
	switch key, err := keyOf(id, instance); {
	case !created.IsZero() && (created.Before(v.o.From) || !created.Before(v.o.To)):
		c.Outside++
		return
	case err == nil && !inScope(&v.o.Settings, key, typ):
		c.Filtered++
		return
	case v.result.ZITADEL.Cut && !created.IsZero() && created.Before(v.result.ZITADEL.Oldest):
		c.Retention++
		return
	case len(v.suspects) >= maxSuspects:
		v.unlisted++
		return
	}
	v.suspects = append(v.suspects, suspect{strings.Clone(id), strings.Clone(typ), created, p.String()})
}

// isEvent reports whether a record says that it is an event of the Events API.
func (v *run) isEvent(r gjson.Result) bool {
	switch v.layout.format {
	case ECS:
		return at(r, "event.dataset").Str == "zitadel.event"
	case OCSF:
		return at(r, "metadata.log_name").Str == "zitadel.event"
	case Raw:
		aggregate := at(r, "aggregate.type").Str
		return aggregate != "" && aggregate != "webhook"
	}
	return true
}

// claims are type and date that a record states.
func (v *run) claims(r gjson.Result) (typ string, created time.Time) {
	switch v.layout.format {
	case ECS:
		typ, created = at(r, "event.action").Str, date(at(r, "@timestamp").Str)
	case OCSF:
		typ = at(r, "metadata.event_code").Str
		if created = date(at(r, "metadata.original_time").Str); created.IsZero() {
			if ms := at(r, "time"); ms.Exists() {
				created = time.UnixMilli(ms.Int())
			}
		}
	case Raw:
		typ, created = at(r, "event.type").Str, date(at(r, "event.time").Str)
	}
	return typ, created
}

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// judgeSuspects asks ZITADEL for each of them.
func (v *run) judgeSuspects(ctx context.Context) error {
	r := v.result
	for _, s := range v.suspects {
		v.progress.n.Add(1)
		found := Finding{ID: s.id, Type: s.typ, Time: s.time, Place: s.place}
		key, err := keyOf(s.id, v.o.Settings.Instance)
		if err != nil {
			found.Reason = err.Error()
			r.Foreign.add(found)
			continue
		}
		pb, err := v.lookUp(ctx, key)
		if err != nil {
			return err
		}
		if pb == nil {
			found.Reason = "ZITADEL has no such event"
			r.Foreign.add(found)
			continue
		}
		e := events.FromEvent(pb, v.o.Settings.Instance, v.now())
		outside := e.Time.Before(v.o.From) || !e.Time.Before(v.o.To)
		switch {
		case outside && s.time.IsZero():
			r.Copy.Outside++
		case outside:
			found.Fields, found.Reason = []string{"time"}, "ZITADEL has this event at "+e.Time.UTC().Format(time.RFC3339Nano)
			r.Altered.add(found)
		case !wanted(&v.o.Settings, pb):
			r.Copy.Filtered++
		default:
			r.Copy.Late++
		}
	}
	if v.unlisted > 0 {
		r.Foreign.Count += v.unlisted
		r.Notes = append(r.Notes, fmt.Sprintf("%d further records that no event has were counted as foreign, and not looked up one by one", v.unlisted))
	}
	return nil
}
