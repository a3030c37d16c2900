package main

import (
	"context"
	"fmt"

	"github.com/zitadel-siem/zitadel-siem/internal/config/flbconf"
)

// checkFluentBit checks the file, and then each zitadel input of it as far as
// its options are known. Of an output nothing else is to be asked.
func checkFluentBit(ctx context.Context, r *report, path string, offline bool) error {
	found, err := flbconf.Check(path, flbconf.Options{})
	if err != nil {
		return fmt.Errorf("--fluent-bit: %w%w", err, silent{errUsage})
	}
	for _, f := range found.Findings {
		v := warns
		if f.Severity == flbconf.Error {
			v, r.wrong = fails, true
		}
		mend := f.Mend
		f.Mend = ""
		r.say(v, "config", f.String(), mend)
	}
	if len(found.Findings) == 0 {
		r.say(passes, "config", fmt.Sprintf("%s: nothing in it loses events", path), "")
	}
	for _, out := range found.Outputs {
		r.secrets = append(r.secrets, out.Settings.SharedKey.Reveal())
		if out.Usable {
			r.say(passes, "output", fmt.Sprintf("%s:%d: match=%s %s", out.File, out.Line, out.Match, out.Settings), "")
		}
	}
	for _, in := range found.Inputs {
		where := fmt.Sprintf("%s:%d", in.File, in.Line)
		if !in.Usable {
			r.say(skips, "server", where+": not asked, its options are to be mended or completed first", "")
			continue
		}
		r.hide(in.Settings)
		r.say(passes, "input", where+": "+in.Settings.String(), "")
		checkState(r, in.Settings)
		checkListen(r, in.Settings)
		if !offline {
			checkServer(ctx, r, in.Settings)
		}
	}
	return nil
}
