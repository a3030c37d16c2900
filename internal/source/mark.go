package source

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// mark says how far learn has come, so that a restart goes on there. What it says was learned
// is in the file of names already.
type mark struct {
	Done []string `json:"done"` // event types that were read up to the time of reading
	// List are the types that are being read, UpTo a date up to which they were.
	List []string  `json:"list,omitempty"`
	UpTo time.Time `json:"up_to,omitzero"`
	// Between AgainFrom and AgainTo, the types have to be read a second time; zero: they were.
	AgainFrom time.Time `json:"again_from,omitzero"`
	AgainTo   time.Time `json:"again_to,omitzero"`
}

// pending reports whether something has to be read a second time.
func (m *mark) pending() bool { return !m.AgainFrom.IsZero() }

// again adds to the time that has to be read a second time.
func (m *mark) again(from, to time.Time) {
	if !m.pending() || from.Before(m.AgainFrom) {
		m.AgainFrom = from
	}
	if to.After(m.AgainTo) {
		m.AgainTo = to
	}
}

const markSuffix = namesSuffix + ".learned"

// maxMark is far more than all event types.
const maxMark = 1 << 20

func (s *Source) markPath() string {
	if s.Settings.StatePath == "" {
		return ""
	}
	return s.Settings.StatePath + markSuffix
}

// readMark returns the mark. One that is missing or cannot be read back costs reading the
// past again.
func readMark(path string) (m mark) {
	b, _, err := bounded.ReadFile(path, maxMark)
	if err != nil || json.Unmarshal(b, &m) != nil {
		return mark{}
	}
	return m
}

// save writes the names, and then the mark.
func (l *learner) save() error {
	if err := l.s.names.Sync(); err != nil {
		return err
	}
	path := l.s.markPath()
	if path == "" {
		return nil
	}
	b, err := json.Marshal(l.mark)
	if err != nil {
		return err
	}
	draft, err := durable.Create(path + ".new")
	if err == nil {
		err = draft.Write(b)
	}
	if err == nil {
		err = draft.Replace(path)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(path + ".new")
		return fmt.Errorf("%s cannot be written: %w; make room or repair the directory", path, bounded.WithoutPath(err))
	}
	return nil
}
