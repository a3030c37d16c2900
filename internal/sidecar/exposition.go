package sidecar

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/metric"
)

const (
	metricPrefix = "zitadel_siem_"
	errorsName   = metricPrefix + "errors_total"
	errorsHelp   = "errors by kind: a gRPC code of ZITADEL, or refused for the receiver of the records"
)

// exposition is what /metrics says of the sources, in Prometheus' text format. It is written
// here, because client_golang takes some twenty times as long: it makes an object of each value,
// hashes its labels and sorts all of them. A process with 10,000 sources has 240,000 values.
//
// Its memory is kept for the next scrape. A scrape that comes while another one has it, which may
// belong to a slow client, uses memory of its own.
type exposition struct {
	mu       sync.Mutex
	families []*family
	byName   map[string]*family
	errors   family
	list     []metric.Metric
}

// family is all values of one name: its lines.
type family struct {
	name   string // as in [metric.Metric]
	prefix []byte // of each line, up to the value of the label instance
	head   string // # HELP and # TYPE
	lines  []byte
}

// expositionIdle is how much memory is kept for the next scrape. 10,000 sources need 15 MB.
const expositionIdle = 32 << 20

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func newFamily(name, full, help, kind string) *family {
	return &family{
		name:   name,
		prefix: []byte(full + `{instance="`),
		head:   "# HELP " + full + " " + escapeHelp.Replace(help) + "\n# TYPE " + full + " " + kind + "\n",
	}
}

// of returns the family of m, which is most often the one at index at: all sources have about
// the same metrics in the same order.
func (x *exposition) of(m *metric.Metric, at int) *family {
	if at < len(x.families) && x.families[at].name == m.Name {
		return x.families[at]
	}
	if f, ok := x.byName[m.Name]; ok {
		return f
	}
	full, kind := metricPrefix+m.Name, "gauge"
	if m.Counter {
		full, kind = full+"_total", "counter"
	}
	f := newFamily(m.Name, full, m.Help, kind)
	x.byName[m.Name] = f
	x.families = append(x.families, f)
	return f
}

// write writes what the feeds count.
func (x *exposition) write(w io.Writer, feeds []*Feed) error {
	if !x.mu.TryLock() {
		return new(exposition).write(w, feeds)
	}
	defer x.mu.Unlock()
	if x.byName == nil {
		x.byName = make(map[string]*family)
		x.errors = *newFamily("errors", errorsName, errorsHelp, "counter")
	}
	now := time.Now()
	var label []byte
	for _, f := range feeds {
		s := f.AppendMetrics(x.list[:0], now)
		x.list = s.List
		label = append(append(label[:0], escapeLabel.Replace(strings.ToValidUTF8(s.Instance, "\uFFFD"))...), `"} `...)
		for i := range s.List {
			m := &s.List[i]
			to := x.of(m, i)
			to.lines = append(append(to.lines, to.prefix...), label...)
			to.lines = append(appendValue(to.lines, m.Value), '\n')
		}
		x.addErrors(label, s.Errors)
	}
	size, kept := 0, 0
	var failed error
	for _, f := range append(slices.Clone(x.families), &x.errors) {
		if failed == nil && len(f.lines) > 0 {
			if _, failed = io.WriteString(w, f.head); failed == nil {
				_, failed = w.Write(f.lines)
			}
		}
		size, kept = size+len(f.lines), kept+cap(f.lines)
		f.lines = f.lines[:0]
	}
	if kept > max(expositionIdle, 2*size) { // many sources are gone
		x.families, x.byName, x.errors = nil, nil, family{}
	}
	return failed
}

// addErrors adds the errors of a source; label ends with `"} `.
func (x *exposition) addErrors(label []byte, errors map[string]uint64) {
	f := &x.errors
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		f.lines = append(append(f.lines, f.prefix...), label[:len(label)-2]...)
		f.lines = append(append(append(f.lines, `,kind="`...), escapeLabel.Replace(kind)...), `"} `...)
		f.lines = append(strconv.AppendUint(f.lines, errors[kind], 10), '\n')
	}
}

// appendValue writes a value. Nearly all are whole numbers.
func appendValue(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// metrics serves /metrics: what process counts, which is what client_golang says of this
// process, and then the sources. Without gzip, the answer for 10,000 sources has 15 MB.
func (m *Metrics) metrics(process http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		plain := r.Clone(r.Context())
		// The answer is one text, in the format that every Prometheus reads, and packed here.
		plain.Header.Del("Accept")
		plain.Header.Del("Accept-Encoding")
		first := answer{header: w.Header(), status: http.StatusOK}
		process.ServeHTTP(&first, plain)
		if first.status != http.StatusOK {
			w.WriteHeader(first.status)
			_, _ = w.Write(first.body.Bytes()) // an error means that the client is gone
			return
		}
		to := io.Writer(w)
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			defer packed.Close() // the same
			to = packed
		}
		if _, err := to.Write(first.body.Bytes()); err == nil {
			_ = m.exposition.write(to, m.set.Feeds()) // the same
		}
	}
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(quality) != "q=0" {
			return true
		}
	}
	return false
}

// answer is a response that is kept: a few KiB, which may turn out to be an error.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
