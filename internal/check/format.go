package check

import (
	"errors"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
)

// checkFormat reads the schema_file, and says one line for each wrong row. where is
// what stands before the text, such as a file and line.
func checkFormat(r *report, where string, s config.FormatSettings) {
	if s.SchemaFile == "" {
		return
	}
	_, err := format.Table(s.SchemaFile)
	if err == nil {
		r.say(passes, "schema", where+"schema_file "+s.SchemaFile+": every row is right", "")
		return
	}
	r.wrong = true
	for _, err := range all(err) {
		r.say(fails, "schema", where+"schema_file "+err.Error(), "")
	}
}

// all are the errors that errors.Join joined, or err alone.
func all(err error) []error {
	if many, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return many.Unwrap()
	}
	return []error{err}
}
