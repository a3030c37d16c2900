// Package page serves one web page that says how the sources are: for who has no
// Prometheus and no Grafana.
//
// What it promises: only a browser on this machine gets the page. It works without
// scripts, loads nothing from elsewhere, and its size is bounded. It shows no data of
// events, except what the log says of them, and what an [Alerts] is given. Secrets are
// removed from errors before they are logged; the page relies on that.
package page

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// Level says how bad something is.
type Level int

// Levels, in the order in which they get worse.
const (
	Well    Level = iota
	Notice        // worth knowing; nothing has to be done now
	Warning       // something has to be done soon
	Failing       // no records flow
)

// String is the level's name in class names of the style sheet.
func (l Level) String() string {
	return [...]string{"well", "notice", "warning", "failing"}[max(Well, min(l, Failing))]
}

// Word is the level in a problem's heading.
func (l Level) Word() string {
	return [...]string{"Well", "Notice", "Warning", "Failing"}[max(Well, min(l, Failing))]
}

// Mark is a sign of the level for the eye, beside a word.
func (l Level) Mark() string { return [...]string{"✓", "i", "!", "✕"}[max(Well, min(l, Failing))] }

// State is what the page shows.
type State struct {
	Now     time.Time
	Began   time.Time
	Version string
	Sources []Source
	// Problems are what is wrong now.
	Problems []Problem
	Messages []Message // newest first
	// Detects says that rules are evaluated; without it there is no list of alerts.
	Detects bool
	Alerts  []Alert // newest first
}

// Source is one row of the table of sources.
type Source struct {
	Instance string
	From     string // scheme and host
	To       string
	Level    Level
	Doing    string        // one or two words
	Lag      time.Duration // negative: not known yet
	History  *History      // of records handed over
	Records  uint64        // handed over
	Buffered int64         // bytes that wait
	Gaps     Gaps
	Swept    time.Time // what is older was read twice; zero: the sweep is off, or nothing was read yet
	Late     uint64    // events that the sweep found
	Calls    uint64
	Failed   uint64 // calls
	Answered time.Time
	Webhooks *Webhooks // nil: none are received
}

// Gaps are those in the sequences of aggregates.
type Gaps struct{ Open, Filled, GivenUp uint64 }

// Webhooks are the figures of one endpoint and its spool.
type Webhooks struct {
	Address                              string // empty: it does not listen
	Accepted, Refused, Repeated, Unknown uint64
	Reasons                              map[string]uint64 // of Refused
	Waiting                              uint64            // entries of the spool
	SpoolBytes, SpoolLimit               int64
}

// Problem is something that is wrong now, and its fix.
type Problem struct {
	Level  Level
	Source string // instance
	What   string
	Since  time.Time // zero: unknown
	Fix    string
}

// Limits of what one page shows. The rest is counted.
const (
	maxSources  = 100
	maxProblems = 50
	maxText     = 1000 // runes of a message or an error
	maxName     = 100  // runes of a name
)

// refreshAfter is the interval in seconds at which a browser loads the page again.
const refreshAfter = 5

//go:embed page.html page.css icon.svg
var files embed.FS

// view is what the template gets.
type view struct {
	State
	Level        Level
	Headline     string
	Refresh      int // seconds; 0: off
	MoreSources  int
	MoreProblems int
	Endpoints    []Source // those with webhooks
}

// newView sorts what is bad to the top, and cuts what is too long.
func newView(s State, refresh bool) view {
	v := view{State: s}
	if refresh {
		v.Refresh = refreshAfter
	}
	v.Sources = slices.Clone(s.Sources)
	slices.SortStableFunc(v.Sources, func(a, b Source) int { return cmp.Compare(b.Level, a.Level) })
	v.Problems = slices.Clone(s.Problems)
	slices.SortStableFunc(v.Problems, func(a, b Problem) int { return cmp.Compare(b.Level, a.Level) })
	serious := 0
	for _, p := range v.Problems {
		v.Level = max(v.Level, p.Level)
		if p.Level > Notice {
			serious++
		}
	}
	for _, source := range v.Sources {
		v.Level = max(v.Level, source.Level)
	}
	v.Headline = headline(serious, len(v.Sources))
	v.Sources, v.MoreSources = first(v.Sources, maxSources)
	v.Problems, v.MoreProblems = first(v.Problems, maxProblems)
	for _, source := range v.Sources {
		if source.Webhooks != nil {
			v.Endpoints = append(v.Endpoints, source)
		}
	}
	return v
}

func headline(problems, sources int) string {
	switch {
	case problems == 1:
		return "1 problem"
	case problems > 1:
		return strconv.Itoa(problems) + " problems"
	case sources == 1:
		return "No problems"
	}
	return "No problems in " + strconv.Itoa(sources) + " sources"
}

func first[T any](list []T, most int) (kept []T, more int) {
	if len(list) <= most {
		return list, 0
	}
	return list[:most], len(list) - most
}

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"columns": func(names ...string) []string { return names },
	"count":   terminal.Thousands,
	"bytes":   size,
	"took":    terminal.Roughly,
	"text":    func(s string) string { return cut(s, maxText) },
	"name":    func(s string) string { return cut(s, maxName) },
	"clock":   func(t time.Time) string { return t.UTC().Format(time.TimeOnly) },
	"day":     func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"date":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"since":   func(now, t time.Time) string { return terminal.Roughly(max(0, now.Sub(t))) },
}).ParseFS(files, "page.html"))

// cut limits the runes of a text.
func cut(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// size writes bytes as the options have them: 1 kB is 1000 bytes.
func size(n int64) string {
	switch {
	case n < 1e3:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1e6:
		return rateText(float64(n)/1e3) + " kB"
	}
	return rateText(float64(n)/1e6) + " MB"
}

// Handle adds the page and its files to mux. read is called for each page.
func Handle(mux *http.ServeMux, read func() State) {
	mux.Handle("GET /{$}", local(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		if err := page.Execute(&b, newView(read(), r.URL.Query().Get("refresh") != "off")); err != nil {
			http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes()) // an error means that the client is gone
	}))
	for path, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		data, err := files.ReadFile(path)
		if err != nil {
			panic(err) // the file is embedded
		}
		mux.Handle("GET /"+path, local(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(data)
		}))
	}
}
