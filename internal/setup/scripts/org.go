package scripts

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// flows are where our scripts belong, under the trigger Post Authentication, with the
// names that the console shows.
var flows = []struct{ id, name string }{
	{zitadel.FlowExternal, "External Authentication"},
	{zitadel.FlowInternal, "Internal Authentication"},
}

// triggers are those of both flows.
var triggers = []struct{ id, name string }{
	{zitadel.TriggerPostAuthentication, "Post Authentication"},
	{"2", "Pre Creation"},
	{"3", "Post Creation"},
}

// otherFlows have no place for our scripts, but may have scripts that print secrets.
var otherFlows = []struct{ id, name string }{
	{"2", "Complement Token"},
	{"4", "Complement SAMLResponse"},
}

var otherTriggers = []struct{ id, name string }{
	{"4", "Pre Userinfo Creation"},
	{"5", "Pre Access Token Creation"},
	{"6", "Pre SAMLResponse Creation"},
}

// org is what one organization has.
type org struct {
	zitadel.Org
	scripts []zitadel.Script
	leaks   map[string]string       // of the scripts that print secrets, by id
	flows   map[string]zitadel.Flow // by id; otherFlows only if a script prints secrets
}

func readOrg(ctx context.Context, client Reader, o zitadel.Org) (*org, error) {
	in := &org{Org: o, leaks: map[string]string{}, flows: map[string]zitadel.Flow{}}
	var err error
	if in.scripts, err = client.Scripts(ctx, o.ID); err != nil {
		return nil, err
	}
	for _, s := range in.scripts {
		if key, ok := variable(keyVariable, s.Source); ok {
			client.Hide(config.Secret(key))
		}
		if leak := leaks(s.Name, s.Source); leak != "" {
			in.leaks[s.ID] = leak
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if len(in.scripts) == 0 { // then no flow can have one
		return in, nil
	}
	wanted := flows
	if len(in.leaks) > 0 {
		wanted = slices.Concat(flows, otherFlows)
	}
	for _, flow := range wanted {
		if in.flows[flow.id], err = client.Flow(ctx, o.ID, flow.id); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (in *org) label() string { return fmt.Sprintf("%s (%s)", in.Name, in.ID) }

func (in *org) named(name string) *zitadel.Script {
	for i := range in.scripts {
		if in.scripts[i].Name == name {
			return &in.scripts[i]
		}
	}
	return nil
}

// at are the actions of a flow that run after an authentication.
func (in *org) at(flow string) []zitadel.Script {
	return in.flows[flow][zitadel.TriggerPostAuthentication]
}

func has(list []zitadel.Script, id string) bool {
	return slices.ContainsFunc(list, func(s zitadel.Script) bool { return s.ID == id })
}

func idsOf(list []zitadel.Script) (ids []string) {
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

// places names where an action stands in the flows.
func (in *org) places(id string) (all []string) {
	for _, flow := range slices.Concat(flows, otherFlows) {
		for _, t := range slices.Concat(triggers, otherTriggers) {
			if has(in.flows[flow.id][t.id], id) {
				all = append(all, flow.name+", "+t.name)
			}
		}
	}
	return all
}

// A Finding is something that a person should look at.
type Finding struct {
	Org    string
	Danger bool // secrets get out
	Text   string
	Fix    string

	script string // the id of a dangerous one
}

// dangers are the actions that print or send secrets.
func (in *org) dangers() (all []Finding) {
	for _, s := range in.scripts {
		leak := in.leaks[s.ID]
		if leak == "" {
			continue
		}
		where, fix := "in no flow, so it does not run now", "delete it in the console (Actions), or deactivate it"
		if places := in.places(s.ID); s.Inactive {
			where = "deactivated, so it does not run now"
		} else if len(places) > 0 {
			where = "in the flow " + strings.Join(places, " and in ")
			fix = "take it out of the flow in the console (Actions), delete it, and treat the passwords and sessions in the logs that it wrote as known to others; setup log installs a script that prints none"
		}
		all = append(all, Finding{in.label(), true, fmt.Sprintf("action %s (%s, %s) prints or sends %s; ZITADEL's example post_auth_log.js does that", s.Name, s.ID, where, leak), fix, s.ID})
	}
	return all
}

// misnamed are copies of our script under a name that ZITADEL finds no function for.
func (in *org) misnamed() (all []Finding) {
	for _, s := range in.scripts {
		for _, name := range []string{LogName, WebhookName} {
			if s.Name != name && isOurs(name, s.Source) {
				all = append(all, note(in, fmt.Sprintf("action %s (%s) has our script, but cannot run: ZITADEL calls the function that has the name of the action", s.Name, s.ID),
					"delete it in the console (Actions); setup makes an action with the right name"))
			}
		}
	}
	return all
}

// misplaced are triggers with our action where it does not belong.
func (in *org) misplaced(s *zitadel.Script) (all []Finding) {
	for _, flow := range flows {
		for _, t := range triggers[1:] {
			if has(in.flows[flow.id][t.id], s.ID) {
				all = append(all, note(in, fmt.Sprintf("action %s is also in the flow %s under %s, where it reports failures that did not happen", s.Name, flow.name, t.name),
					"take it out there in the console (Actions, Flows)"))
			}
		}
	}
	return all
}

// hidden are actions before ours that end the flow if they fail.
func (in *org) hidden(s *zitadel.Script) (all []Finding) {
	for _, flow := range flows {
		var before []string
		list := in.at(flow.id)
		for _, other := range list[:max(0, slices.IndexFunc(list, func(o zitadel.Script) bool { return o.ID == s.ID }))] {
			if !other.AllowedToFail && !other.Inactive {
				before = append(before, other.Name)
			}
		}
		if len(before) > 0 {
			all = append(all, note(in, fmt.Sprintf("in the flow %s, actions that are not allowed to fail run before %s: %s; where one fails, the attempt is not reported", flow.name, s.Name, strings.Join(before, ", ")),
				"move "+s.Name+" to the beginning in the console (Actions, Flows); setup keeps that place"))
		}
	}
	return all
}

// differs says what of an action is not as it should be, in words.
func differs(has, want zitadel.Script) (what []string) {
	if !same(has.Source, want.Source) {
		what = append(what, differentSource(has, want)...)
	}
	if has.Timeout != want.Timeout {
		what = append(what, fmt.Sprintf("its time limit from %s to %s", has.Timeout, want.Timeout))
	}
	if !has.AllowedToFail {
		what = append(what, "allow it to fail, so that it can stop no login")
	}
	return what
}

func differentSource(has, want zitadel.Script) (what []string) {
	other := "its script, which is another version of ours"
	switch from := originOf(want.Name, has.Source); {
	case from == foreign:
		return []string{"replace its script, which is not ours"}
	case from == edited:
		other = "replace its script, which somebody has edited"
	}
	if want.Name != WebhookName {
		return []string{other}
	}
	rest := has.Source
	for _, v := range []struct {
		name string
		line *regexp.Regexp
	}{{"its endpoint", endpointVariable}, {"its key", keyVariable}} {
		old, new := v.line.FindStringSubmatch(has.Source), v.line.FindStringSubmatch(want.Source)
		if old != nil && old[1] != new[1] {
			what = append(what, v.name)
			rest = strings.Replace(rest, old[0], new[0], 1)
		}
	}
	if !same(rest, want.Source) {
		what = append(what, other)
	}
	return what
}

func note(in *org, text, fix string) Finding { return Finding{Org: in.label(), Text: text, Fix: fix} }
