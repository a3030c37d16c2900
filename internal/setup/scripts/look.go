package scripts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Report is the result of [Look].
type Report struct {
	Orgs, Looked int // organizations: of the instance, and looked at
	Right        int // actions of ours that are as this version installs them
	Found        []Finding
}

// Look reads the actions of at most max organizations and changes nothing. With an error,
// the report has what was seen until then.
func Look(ctx context.Context, client Reader, max int) (Report, error) {
	orgs, err := client.Orgs(ctx)
	if err != nil {
		return Report{}, err
	}
	report := Report{Orgs: len(orgs)}
	for _, o := range orgs[:min(len(orgs), max)] {
		in, err := readOrg(ctx, client, o)
		if err != nil {
			return report, err
		}
		report.Looked++
		report.add(in)
	}
	return report, nil
}

func (r *Report) add(in *org) {
	r.Found = slices.Concat(r.Found, in.dangers(), in.misnamed())
	for _, name := range []string{LogName, WebhookName} {
		s := in.named(name)
		switch {
		case s == nil:
		case !isOurs(name, s.Source):
			if in.leaks[s.ID] == "" {
				r.Found = append(r.Found, note(in, fmt.Sprintf("action %s (%s) has a script that is not ours", name, s.ID), "look at it in the console (Actions)"))
			}
		default:
			found := slices.Concat(in.ours(s), in.misplaced(s), in.hidden(s))
			if len(found) == 0 {
				r.Right++
			}
			r.Found = append(r.Found, found...)
		}
	}
}

// ours are the faults of an action of ours.
func (in *org) ours(s *zitadel.Script) (all []Finding) {
	command := "run zitadel-siem setup log --org " + in.ID
	if s.Name == WebhookName {
		command = "run zitadel-siem setup webhook-v1 --org " + in.ID + " with its endpoint and key"
	}
	from := originOf(s.Name, s.Source)
	if from == edited {
		command += " and --replace, which drops the edits"
	}
	want, ok := current(*s)
	if from == newer {
		command = "use the newer zitadel-siem here too"
		all = append(all, note(in, "action "+s.Name+" has the script of a newer zitadel-siem", command))
	} else if !ok {
		all = append(all, note(in, "the endpoint and the key of action "+s.Name+" cannot be read", command))
	} else if what := differs(*s, want); len(what) > 0 {
		all = append(all, note(in, "action "+s.Name+" is not as this version installs it; to change: "+strings.Join(what, "; "), command))
	}
	if key, _ := variable(keyVariable, s.Source); s.Name == WebhookName && key == placeholder {
		all = append(all, note(in, "action "+s.Name+" has no key, and sends nothing", command))
	}
	if s.Inactive {
		return append(all, note(in, "action "+s.Name+" is deactivated", command))
	}
	for _, flow := range flows {
		if !has(in.at(flow.id), s.ID) {
			all = append(all, note(in, "action "+s.Name+" is not in the flow "+flow.name+", Post Authentication: such logins are not reported", command))
		}
	}
	return all
}
