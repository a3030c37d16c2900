package check

import (
	"context"
	"fmt"

	"github.com/zitadel-siem/zitadel-siem/internal/flbconf"
)

// notes is the verdict of a line that limits the others. It is not counted.
const notes verdict = "note"

// checkFluentBit checks the file, and then asks the server of each zitadel input whose
// options are known. An output has no server to ask.
func checkFluentBit(ctx context.Context, r *report, path string, offline bool) error {
	found, err := flbconf.Check(path, flbconf.Options{})
	if err != nil {
		return &ConfigError{fmt.Errorf("--fluent-bit: %w", err)}
	}
	for _, f := range found.Findings {
		v := warns
		if f.Severity == flbconf.Error {
			v, r.wrong = fails, true
		}
		sayFinding(r, v, f)
	}
	for _, f := range found.Notes {
		sayFinding(r, notes, f)
	}
	verdict := notes
	if len(found.Findings) == 0 {
		verdict = passes
	}
	r.say(verdict, "config", found.Summary, "")
	r.say(notes, "config", found.NotRead, "")
	for _, out := range found.Outputs {
		r.secrets = append(r.secrets, out.Settings.SharedKey.Reveal())
		if out.Usable {
			r.say(passes, "output", fmt.Sprintf("%s:%d: match=%s %s", out.File, out.Line, out.Match, out.Settings), "")
			checkFormat(r, fmt.Sprintf("%s:%d: ", out.File, out.Line), out.Settings.Format)
		}
	}
	for _, in := range found.Inputs {
		where := fmt.Sprintf("%s:%d", in.File, in.Line)
		if !in.Usable {
			r.say(skips, "server", where+": not asked, because its options must be fixed or completed first", "")
			continue
		}
		r.hide(in.Settings)
		r.say(passes, "input", where+": "+in.Settings.String(), "")
		checkState(r, in.Settings)
		checkListen(r, in.Settings)
		checkFormat(r, where+": ", in.Settings.Format)
		if !offline {
			checkServer(ctx, r, in.Settings)
		}
	}
	return nil
}

func sayFinding(r *report, v verdict, f flbconf.Finding) {
	text := f
	text.Fix = ""
	r.say(v, "config", text.String(), f.Fix)
}
