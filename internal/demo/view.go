package demo

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// view is the form in which the pipeline writes the records, and how they are shown.
type view struct {
	format string
	asIs   bool // each record as it is, and not its summary for an analyst
}

// newView reads ZITADEL_FORMAT. Without it the records are in ECS, and shown as an
// analyst sees them.
func newView(values map[string]string) (view, error) {
	v := view{cmp.Or(values["format"], "ecs"), values["format"] != ""}
	switch v.format {
	case "raw", "ecs", "ocsf", "cef", "leef":
	default:
		return v, fmt.Errorf("%w: ZITADEL_FORMAT is %q: use raw, ecs, ocsf, cef or leef", ErrUsage, v.format)
	}
	values["format"], values["tier"] = v.format, cmp.Or(values["tier"], "noise")
	return v, nil
}

// hashes reports whether the records have a hash of event.id, and not the id.
func (v view) hashes() bool { return v.format == "cef" || v.format == "leef" }

// key is the id of an event as the records have it.
func (v view) key(id string) string {
	if !v.hashes() {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:20])
}

// hashedID is the id in CEF and LEEF.
var hashedID = regexp.MustCompile(`[ \t](?:externalId|eventId)=([0-9a-f]{40})`)

// id is the id of a record.
func (v view) id(line []byte) string {
	switch v.format {
	case "ocsf":
		return gjson.GetBytes(line, "metadata.uid").Str
	case "cef", "leef":
		if m := hashedID.FindStringSubmatch(v.message(line)); m != nil {
			return m[1]
		}
		return ""
	}
	return gjson.GetBytes(line, "event.id").Str
}

// message is a line of CEF or LEEF. Fluent Bit has it under a key.
func (v view) message(line []byte) string {
	if line[0] == '{' {
		return gjson.GetBytes(line, "message").Str
	}
	return strings.TrimRight(string(line), "\n")
}

// typ is the event type of a record.
func (v view) typ(line []byte) string {
	switch v.format {
	case "raw":
		return gjson.GetBytes(line, "event.type").Str
	case "ecs":
		return gjson.GetBytes(line, "event.action").Str
	case "ocsf":
		return gjson.GetBytes(line, "metadata.event_code").Str
	}
	if parts := strings.SplitN(v.message(line), "|", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// show is one line for the screen.
func (v view) show(line []byte, colours bool) string {
	switch {
	case v.hashes():
		return printable(strings.ReplaceAll(v.message(line), "\t", "  "))
	case v.asIs:
		return printable(readable(string(line)))
	}
	return analyst(line, colours)
}

// analyst is a record of ECS in the order in which an analyst asks: when, with which
// outcome, what, who, to whom or what, from where.
func analyst(line []byte, colours bool) string {
	get := func(paths ...string) string {
		for _, path := range paths {
			if s := gjson.GetBytes(line, path).String(); s != "" {
				return printable(s)
			}
		}
		return ""
	}
	at := get("@timestamp")
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		at = t.Local().Format("15:04:05")
	}
	outcome := fmt.Sprintf("%-8s", get("event.outcome"))
	what := fmt.Sprintf("%-40s", cut(get("message"), 40))
	who := get("user.name", "user.full_name", "user.email", "user.id", "zitadel.actor.system", "zitadel.actor.name", "zitadel.actor.id")
	whom := get("user.target.name", "user.target.full_name", "user.target.email", "user.target.id", "user.effective.id", "zitadel.entity.name")
	if whom == "" && get("zitadel.entity.type") != "" {
		whom = get("zitadel.entity.type") + " " + get("zitadel.entity.id")
	}
	if colours {
		at, what = "\x1b[2m"+at+"\x1b[0m", "\x1b[1;36m"+what+"\x1b[0m"
		if strings.HasPrefix(outcome, "failure") {
			outcome = "\x1b[31m" + outcome + "\x1b[0m"
		}
	}
	from := get("source.ip")
	if from != "" {
		from = "from " + from
	}
	text := fmt.Sprintf("%s  %s %s  %-24s  -> %-34s %s", at, outcome, what, cut(who, 24), cut(whom, 34), from)
	if whom == "" {
		text = fmt.Sprintf("%s  %s %s  %-24s     %-34s %s", at, outcome, what, cut(who, 24), "", from)
	}
	return strings.TrimRight(text, " ")
}
