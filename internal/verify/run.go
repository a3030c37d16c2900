package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/version"
)

// Options of a run.
type Options struct {
	Settings config.Settings // of pull; Start and End are not used
	From, To time.Time       // To is exclusive
	Found    Found
	Inputs   []*Input
	Client   events.Client
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
	Progress *Progress
	// Repair takes the missing events, in the order in which they were created, and returns
	// how many were acknowledged; nil: they are only reported.
	Repair func(context.Context, []record.Record) (int, error)
	// AcceptRedacted and AcceptPseudonyms let the copy hide values that this run cannot
	// compare. Without them, each record with such a value is a difference.
	AcceptRedacted, AcceptPseudonyms bool
}

// Found is what the first lines of the copy say.
type Found struct {
	layout       layout
	Format       string
	OCSFVersion  string
	KeepOriginal bool
}

// Place names the path of the id.
func (f Found) Place() string { return f.layout.String() }

// maxSample is how many values are looked at to find the place of the id.
const maxSample = 100

// Inspect looks at the first lines of the inputs. idPath is what the user says of the place of
// the id, or empty. An empty copy has the zero Found.
func Inspect(inputs []*Input, idPath string) (Found, error) {
	empty := true
	var cut error
	for _, in := range inputs {
		sample, err := in.sample(maxSample)
		if err != nil {
			return Found{}, err
		}
		for _, v := range sample {
			empty = false
			if v.err != nil || tooDeep(v.data) || !gjson.ValidBytes(v.data) {
				continue
			}
			var found Found
			each(gjson.ParseBytes(v.data), func(e gjson.Result) {
				if found.Format != "" {
					return
				}
				if f, err := inspect(e, idPath); err != nil {
					cut = err
				} else {
					found = f
				}
			})
			if found.Format != "" {
				return found, nil
			}
		}
	}
	switch {
	case empty:
		return Found{}, nil
	case idPath != "":
		return Found{}, fmt.Errorf("none of the first %d lines has an id at %q: look at one line, and give the path of instance/aggregate type/aggregate id/sequence", maxSample, idPath)
	case cut != nil:
		return Found{}, fmt.Errorf("none of the first %d lines has a whole record: %w", maxSample, cut)
	}
	return Found{}, fmt.Errorf("none of the first %d lines has a record of zitadel-siem in the format raw, ecs or ocsf: if the fields have other names, give the path of the id with --id-path", maxSample)
}

func inspect(v gjson.Result, idPath string) (Found, error) {
	if idPath == "" {
		l, r, err := locate(v)
		if l.format == "" {
			return Found{}, err
		}
		return details(l, r), nil
	}
	l := parseIDPath(idPath)
	r, err := find(v, l.root)
	if err != nil || at(r, l.id).Type != gjson.String {
		return Found{}, err
	}
	if l.format == "" {
		if l.format, _ = recognize(r); l.format == "" {
			l.format = IDs
		}
	}
	return details(l, r), nil
}

func details(l layout, r gjson.Result) Found {
	f := Found{layout: l, Format: l.format}
	switch l.format {
	case ECS:
		f.KeepOriginal = at(r, "event.original").Exists()
	case OCSF:
		f.KeepOriginal = at(r, "raw_data").Exists()
		f.OCSFVersion = at(r, "metadata.version").Str
	}
	return f
}

type run struct {
	o        Options
	layout   layout
	fields   *fields
	hash     *hasher
	shapes   *shapes
	table    table
	spill    spill
	format   *format.Format
	encoder  *format.Encoder
	veil     *format.Encoder // see veiled
	schema   *schema.Table   // see withUser
	progress *Progress
	result   *Result
	suspects []suspect // of foreign records
	unlisted uint64    // suspects that had no room
	toRepair []record.Record

	added, instances counts

	id, scratch []byte
}

// Run compares. The result is complete up to where the error, if any, ended the run.
func Run(ctx context.Context, o Options) (*Result, error) {
	return newRun(o).run(ctx)
}

func newRun(o Options) *run {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	return &run{
		o: o, layout: o.Found.layout, hash: newHasher(), shapes: newShapes(), table: table{most: maxEvents},
		progress: o.Progress, result: new(Result), added: counts{}, instances: counts{},
	}
}

func (v *run) run(ctx context.Context) (*Result, error) {
	defer v.spill.close()
	r, o := v.result, &v.o
	r.Version, r.Instance, r.From, r.To, r.Began = version.Version, o.Settings.Instance, o.From.UTC(), o.To.UTC(), o.Now().UTC()
	if o.Settings.URL != nil {
		r.URL = o.Settings.URL.Scheme + "://" + o.Settings.URL.Host
	}
	r.Format, r.IDPath, r.Filters = v.layout.format, v.layout.String(), filters(&o.Settings)
	r.AcceptRedacted, r.AcceptPseudonyms = o.AcceptRedacted, o.AcceptPseudonyms
	err := fault.Contain(func() error { return v.all(ctx) })
	r.Ended = o.Now().UTC()
	r.finish(err)
	return r, err
}

func (v *run) now() time.Time { return v.o.Now() }

// all is the order: events first, so that each record of the copy is decided when it is met.
func (v *run) all(ctx context.Context) error {
	var err error
	if v.format == nil {
		if v.format, err = format.Open(v.o.Settings.Format); err != nil {
			return err
		}
	}
	v.encoder = v.format.NewEncoder()
	v.fields = newFields(v.layout.format, v.o.Settings.Format.KeepOriginal)
	v.progress.from, v.progress.to, v.progress.size = v.o.From, v.o.To, size(v.o.Inputs)

	v.progress.begin("reading ZITADEL", "events", false)
	err = v.read(ctx, v.o.From, v.o.To, func(_ context.Context, e *record.Event) error {
		v.progress.n.Add(1)
		return v.expect(e)
	})
	if err != nil {
		return err
	}
	v.table.sort()
	if v.result.ZITADEL.Oldest, v.result.ZITADEL.Cut, err = v.horizon(ctx); err != nil {
		return err
	}

	if z := &v.result.ZITADEL; z.Cut && !v.o.To.After(z.Oldest) {
		return fmt.Errorf("ZITADEL shows no events before %s (audit-log retention), so that nothing of the span can be verified: choose a later --to", z.Oldest.UTC().Format(time.RFC3339))
	}

	v.progress.begin("reading the copy", "records", true)
	for i, in := range v.o.Inputs {
		if err := v.readCopy(ctx, uint32(i), in); err != nil {
			return err
		}
		v.result.Files = append(v.result.Files, File{in.Name, in.counted.own, in.sum()})
	}
	v.result.Copy.Added, v.result.Copy.Instances = v.added.result(), v.instances.result()
	v.table.each(func(e *entry) {
		if e.seen > 0 && e.flags&required != 0 {
			v.result.Copy.Matched++
		}
	})
	if err := v.plausible(); err != nil {
		return err
	}
	v.progress.begin("looking up foreign records", "records", false)
	if err := v.judgeSuspects(ctx); err != nil {
		return err
	}
	v.progress.begin("reading what is missing or differs", "events", false)
	if err := v.again(ctx); err != nil {
		return err
	}
	v.notes()
	return ctx.Err() // nothing is a success that was interrupted
}

func size(inputs []*Input) (n int64) {
	for _, in := range inputs {
		one := in.size()
		if one == 0 {
			return 0
		}
		n += one
	}
	return n
}

// plausible refuses a copy that is of another instance: everything would be missing.
func (v *run) plausible() error {
	c := &v.result.Copy
	if c.Matched > 0 || len(c.Instances) == 0 {
		return nil
	}
	return fmt.Errorf("the copy has no record of instance %q, but some of %q: give the label that pull had with --instance", v.o.Settings.Instance, sorted(c.Instances)[0])
}

func (v *run) readCopy(ctx context.Context, file uint32, in *Input) error {
	for {
		x, err := in.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		place := place{in.Name, file, x.number}
		switch {
		case x.err != nil:
			v.broken(place, x.err)
			continue
		case tooDeep(x.data):
			v.broken(place, fmt.Errorf("nested deeper than %d levels", maxDepth))
			continue
		case !gjson.ValidBytes(x.data):
			v.broken(place, errors.New("no JSON, or cut"))
			continue
		}
		each(gjson.ParseBytes(x.data), func(one gjson.Result) {
			if e := v.record(one, place); e != nil && err == nil {
				err = e
			}
			v.progress.n.Add(1)
		})
		if err != nil {
			return err
		}
	}
}

type place struct {
	name string
	file uint32
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.name, p.line) }

func (v *run) broken(p place, err error) {
	v.result.Copy.Records++
	v.result.Broken.add(Finding{Place: p.String(), Reason: err.Error()})
}

func filters(s *config.Settings) string {
	text := events.Describe(s)
	if s.Format.Tier != "noise" {
		text += " tier=" + s.Format.Tier
	}
	if s.ExcludeOwn {
		text += " exclude_own"
	}
	return strings.TrimSpace(text)
}
