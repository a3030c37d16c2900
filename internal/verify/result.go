package verify

import (
	"slices"
	"strings"
	"time"
)

// Result is what a run found. It is the report in JSON.
type Result struct {
	Verdict  string    `json:"verdict"` // Complete, Differs or NotVerified
	Why      string    `json:"why,omitempty"`
	Version  string    `json:"zitadel_siem"`
	URL      string    `json:"url"`
	Instance string    `json:"instance"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // exclusive
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Format   string    `json:"format"`
	IDPath   string    `json:"id_path"`
	Filters  string    `json:"filters,omitempty"`

	Files   []File `json:"files"`
	ZITADEL struct {
		Events     uint64    `json:"events"`   // of the span, behind the filters
		LeftOut    uint64    `json:"left_out"` // by the tier
		Oldest     time.Time `json:"oldest_shown"`
		Cut        bool      `json:"retention_hides_older"`
		Unreadable uint64    `json:"unreadable"`
		Unproved   uint64    `json:"unproved_groups"`
	} `json:"zitadel"`
	Copy struct {
		Records   uint64            `json:"records"` // lines, or documents of an answer
		Matched   uint64            `json:"matched"` // events with at least one record
		Equal     uint64            `json:"equal"`   // records that are as ZITADEL has the event
		Outside   uint64            `json:"outside_the_span"`
		Filtered  uint64            `json:"outside_the_filters"`
		Instances map[string]uint64 `json:"other_instances,omitempty"`
		NoEvents  uint64            `json:"no_events"` // API calls, lines of the log, heartbeats, alerts
		Unknown   uint64            `json:"unknown"`   // no record of zitadel-siem
		Retention uint64            `json:"older_than_retention"`
		Late      uint64            `json:"visible_late"` // ZITADEL shows them since the reading
		// Added are fields that the event does not have, with the number of records.
		Added map[string]uint64 `json:"added_fields,omitempty"`
	} `json:"copy"`

	Missing Findings `json:"missing"`
	Foreign Findings `json:"foreign"`
	Doubled Findings `json:"doubled"`
	Altered Findings `json:"altered"`
	Broken  Findings `json:"broken"`
	// Redacted and Pseudonyms are records that are equal except for values that one side
	// hides. They are differences unless they were accepted.
	Redacted         Findings `json:"redacted"`
	Pseudonyms       Findings `json:"pseudonyms"`
	AcceptRedacted   bool     `json:"accept_redacted"`
	AcceptPseudonyms bool     `json:"accept_pseudonyms"`
	Repaired         uint64   `json:"repaired"`
	Notes            []string `json:"notes,omitempty"`
}

// The verdicts.
const (
	Complete    = "complete and equal"
	Differs     = "differs"
	NotVerified = "not verified"
)

// File is one file of the copy.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Findings are differences of one kind. The list is cut, the count is not.
type Findings struct {
	Count uint64    `json:"count"`
	List  []Finding `json:"list"`
}

// Finding is one difference.
type Finding struct {
	ID     string    `json:"id,omitempty"`
	Type   string    `json:"type,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	Place  string    `json:"place,omitempty"` // file and line
	Fields []string  `json:"fields,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// maxListed bounds each list of findings.
const maxListed = 10_000

func (f *Findings) add(x Finding) {
	f.Count++
	if len(f.List) < maxListed {
		const most = 500 // bytes of a foreign text
		if len(x.ID) > most {
			x.ID = strings.ToValidUTF8(x.ID[:most], "") + "…"
		}
		f.List = append(f.List, x)
	}
}

// Differences is how many there are.
func (r *Result) Differences() uint64 {
	n := r.Missing.Count + r.Foreign.Count + r.Doubled.Count + r.Altered.Count + r.Broken.Count
	if !r.AcceptRedacted {
		n += r.Redacted.Count
	}
	if !r.AcceptPseudonyms {
		n += r.Pseudonyms.Count
	}
	return n
}

// maxNames bounds maps whose keys come from the copy.
const maxNames = 200

// counts are by name. A name may be a part of a buffer: it is copied when it is new.
type counts map[string]*uint64

func (c counts) add(name string) {
	n := c[name]
	if n == nil {
		if len(c) >= maxNames {
			name = "…"
		}
		name = strings.Clone(strings.ToValidUTF8(name[:min(len(name), 200)], ""))
		if n = c[name]; n == nil {
			n = new(uint64)
			c[name] = n
		}
	}
	*n++
}

func (c counts) result() map[string]uint64 {
	if len(c) == 0 {
		return nil
	}
	m := make(map[string]uint64, len(c))
	for name, n := range c {
		m[name] = *n
	}
	return m
}

// finish sorts, and gives the verdict.
func (r *Result) finish(err error) {
	for _, f := range []*Findings{&r.Missing, &r.Altered, &r.Redacted, &r.Pseudonyms} {
		slices.SortStableFunc(f.List, func(x, y Finding) int { return x.Time.Compare(y.Time) })
	}
	for _, k := range r.kinds() {
		if k.f.List == nil {
			k.f.List = []Finding{} // a reader of the report need not ask for null
		}
	}
	switch {
	case err != nil:
		r.Verdict, r.Why = NotVerified, err.Error()
	case r.Differences() > 0:
		r.Verdict = Differs
	default:
		r.Verdict = Complete
	}
}
