package verify

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// The formats of records that can be compared. IDs is for records whose fields somebody has
// renamed: only their ids are looked at.
const (
	Raw  = "raw"
	ECS  = "ecs"
	OCSF = "ocsf"
	IDs  = "ids"
)

// roots are the places of a record in a line: our own lines and S3, the exports of
// Elasticsearch and OpenSearch, Splunk (search results, HEC), Loki (logcli), and collectors
// that keep the line as a text. A text on the way is read as JSON.
var roots = [][]string{
	nil, {"_source"}, {"result", "_raw"}, {"_raw"}, {"line"}, {"result"}, {"event"}, {"message"}, {"log"}, {"_source", "message"}, {"_source", "log"}, {"fields"},
}

// layout is where a record is in a line, and what it is.
type layout struct {
	root   []string
	id     string // path of the id below root
	format string
}

// String names the place of the id.
func (l layout) String() string {
	return strings.Join(append(append([]string(nil), l.root...), l.id), ".")
}

// parseIDPath takes the path that the user gives. Below an unknown name, records can be
// compared by their ids only.
func parseIDPath(path string) layout {
	for _, id := range []string{"event.id", "metadata.uid"} {
		if path == id {
			return layout{id: id}
		}
		if root, ok := strings.CutSuffix(path, "."+id); ok {
			return layout{root: strings.Split(root, "."), id: id}
		}
	}
	parts := strings.Split(path, ".")
	return layout{root: parts[:len(parts)-1], id: parts[len(parts)-1], format: IDs}
}

// errCut is a text with JSON that does not parse: Splunk and collectors cut long lines.
var errCut = fmt.Errorf("the record in it is cut or no JSON")

// find returns the record at the root, or a result that does not exist.
func find(v gjson.Result, root []string) (gjson.Result, error) {
	for _, name := range root {
		v = child(v, name)
		if v.Type == gjson.String && strings.HasPrefix(strings.TrimLeft(v.Str, " \t"), "{") {
			if tooDeep(v.Str) || !gjson.Valid(v.Str) {
				return gjson.Result{}, errCut
			}
			v = gjson.Parse(v.Str)
		}
	}
	if !v.IsObject() {
		return gjson.Result{}, nil
	}
	return v, nil
}

// child returns a member of an object. The name is no path: it may hold dots.
func child(v gjson.Result, name string) (found gjson.Result) {
	if !v.IsObject() {
		return found
	}
	v.ForEach(func(k, member gjson.Result) bool {
		if k.Str == name {
			found = member
			return false
		}
		return true
	})
	return found
}

// at returns a field by its path, of nested objects or of one with dots in its names.
func at(v gjson.Result, path string) gjson.Result {
	if found := v.Get(path); found.Exists() {
		return found
	}
	if strings.IndexByte(path, '.') < 0 {
		return gjson.Result{}
	}
	return v.Get(strings.ReplaceAll(path, ".", `\.`))
}

// recognize returns the format of a record, or "" if it is none of ours.
func recognize(v gjson.Result) (format, id string) {
	switch {
	case at(v, "metadata.uid").Type == gjson.String && at(v, "class_uid").Exists():
		return OCSF, "metadata.uid"
	case at(v, "event.id").Type != gjson.String:
		return "", ""
	case at(v, "ecs.version").Exists() || at(v, "event.action").Type == gjson.String:
		return ECS, "event.id"
	case at(v, "event.type").Type == gjson.String:
		return Raw, "event.id"
	}
	return "", ""
}

// locate finds the record of a line. Its error is that of a record that is cut.
func locate(v gjson.Result) (l layout, record gjson.Result, err error) {
	for _, root := range roots {
		r, cut := find(v, root)
		if cut != nil {
			err = cut
			continue
		}
		if format, id := recognize(r); format != "" {
			return layout{root, id, format}, r, nil
		}
	}
	return layout{}, gjson.Result{}, err
}

// each calls f for every line or document that an answer of a search has: hits of
// Elasticsearch, streams of Loki, elements of a list. Anything else is one itself.
func each(v gjson.Result, f func(gjson.Result)) {
	if v.IsArray() {
		v.ForEach(func(_, e gjson.Result) bool { each(e, f); return true })
		return
	}
	if hits := v.Get("hits.hits"); hits.IsArray() {
		hits.ForEach(func(_, hit gjson.Result) bool { f(hit); return true })
		return
	}
	if streams := v.Get("data.result"); streams.IsArray() {
		streams.Get("#.values|@flatten").ForEach(func(_, entry gjson.Result) bool {
			f(gjson.Parse(entry.Get("1").Str))
			return true
		})
		return
	}
	f(v)
}
