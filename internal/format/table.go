package format

import (
	"fmt"
	"sync"
	"weak"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// tables are those that are in use, by what they were made of. A table takes 300 KiB, and
// thousands of sources in one process have few different ones.
var tables struct {
	sync.Mutex
	by map[overlay]weak.Pointer[schema.Table]
}

// overlay is a schema_file: its path, which errors name, and its content. Empty: none.
type overlay struct{ path, content string }

// Table returns the table of event types, changed by the schema_file at path; "" is
// none. It joins the errors of all wrong rows. Callers share it, and must not change it.
func Table(path string) (*schema.Table, error) {
	key := overlay{path: path}
	if path != "" {
		content, _, err := bounded.ReadFile(path, maxOverlay)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", path, bounded.WithoutPath(err))
		}
		key.content = string(content)
	}
	tables.Lock()
	defer tables.Unlock()
	if t := tables.by[key].Value(); t != nil {
		return t, nil
	}
	t, err := schema.Load([]byte(key.content), path)
	if err != nil {
		return nil, err
	}
	for _, row := range t.Rows() {
		row.Teaches = enrich.Teaches(row.Type)
	}
	if tables.by == nil {
		tables.by = make(map[overlay]weak.Pointer[schema.Table])
	}
	for old, p := range tables.by { // of files that were changed
		if p.Value() == nil {
			delete(tables.by, old)
		}
	}
	tables.by[key] = weak.Make(t)
	return t, nil
}
