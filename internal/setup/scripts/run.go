package scripts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Reader is what looking needs of ZITADEL. A [zitadel.Client] does it.
type Reader interface {
	Org(ctx context.Context, id string) (zitadel.Org, error)
	Orgs(ctx context.Context) ([]zitadel.Org, error)
	Scripts(ctx context.Context, org string) ([]zitadel.Script, error)
	Flow(ctx context.Context, org, flow string) (zitadel.Flow, error)
	// Hide keeps a secret out of errors.
	Hide(secret config.Secret)
}

// Client is what installing needs.
type Client interface {
	Reader
	CreateScript(ctx context.Context, org string, s zitadel.Script) (id string, err error)
	ChangeScript(ctx context.Context, org string, s zitadel.Script) error
	ActivateScript(ctx context.Context, org, id string) error
	DeleteScript(ctx context.Context, org, id string) error
	SetTrigger(ctx context.Context, org, flow, trigger string, ids []string) error
}

// AllOrgs in [Options.Orgs] means every organization of the instance.
const AllOrgs = "all"

// Options of a run.
type Options struct {
	Script  zitadel.Script // what to install; to remove, only its name
	Orgs    []string       // ids, or AllOrgs; without any, that of the token's user
	Replace bool           // also a script that is not ours, or that was edited
	DryRun  bool           // change nothing
	// Say takes each step as one line. The line may contain text of others.
	Say func(verb setup.Verb, text string)
}

// The verbs that [Options.Say] is called with beside those of package setup.
const (
	Danger setup.Verb = "danger" // a script that prints secrets
	Failed setup.Verb = "FAIL"   // an organization, where there are others
)

// InTheWayError is an action of our name with a script that must not be replaced.
type InTheWayError struct {
	Org, Name, ID string
	Leaks         bool // the script prints secrets

	origin origin
}

func (e *InTheWayError) Error() string {
	what, fix := "a script that is not ours", "rename or delete that action in the console, or replace its script with --replace"
	switch {
	case e.origin == newer:
		what, fix = "the script of a newer zitadel-siem", "use that one, or delete that action in the console first"
	case e.origin == edited:
		what, fix = "our script with changes by somebody, or from before the scripts had versions", "replace it with --replace, which drops these changes"
	case e.Leaks:
		what += " and prints secrets"
	}
	return fmt.Sprintf("organization %s: action %s (%s) has %s; nothing was changed there: %s", e.Org, e.Name, e.ID, what, fix)
}

// run is one call of [Run] or [Remove].
type run struct {
	Options
	client Client
}

// Run installs the script, or changes what differs.
func Run(ctx context.Context, client Client, o Options) error {
	return (&run{o, client}).each(ctx, (*run).install)
}

// Remove deletes the action where its script is ours.
func Remove(ctx context.Context, client Client, o Options) error {
	return (&run{o, client}).each(ctx, (*run).remove)
}

// each does the work in every organization. What fails in one does not keep the others
// from being done, unless it would fail there too.
func (r *run) each(ctx context.Context, work func(*run, context.Context, *org) error) error {
	orgs, err := orgsOf(ctx, r.client, r.Orgs)
	if err != nil {
		return err
	}
	failed := 0
	for _, o := range orgs {
		in, err := readOrg(ctx, r.client, o)
		if err == nil {
			err = work(r, ctx, in)
		}
		switch {
		case err == nil:
			continue
		case len(orgs) == 1 || ctx.Err() != nil || everywhere(err):
			return err
		}
		failed++
		r.Say(Failed, fmt.Sprintf("%s (%s): %s", o.Name, o.ID, err))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d organizations failed, the lines with %s say why; after that is fixed, run this again", failed, len(orgs), Failed)
	}
	return nil
}

// everywhere reports whether other organizations would fail too: the server is away or
// throttles, or the token is refused.
func everywhere(err error) bool {
	e, ok := errors.AsType[*zitadel.Error](err)
	return ok && (e.Class != zitadel.Stop || e.Code == codes.Unauthenticated || e.Code == codes.Unimplemented)
}

func orgsOf(ctx context.Context, client Reader, ids []string) (all []zitadel.Org, err error) {
	switch {
	case slices.Contains(ids, AllOrgs):
		return client.Orgs(ctx)
	case len(ids) == 0:
		ids = []string{""}
	}
	for _, id := range ids {
		o, err := client.Org(ctx, id)
		if err != nil {
			if id != "" {
				err = fmt.Errorf("organization %s: %w", id, err)
			}
			return nil, err
		}
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return all, nil
}

// do makes a step. A dry run only says it.
func (r *run) do(in *org, text string, step func() error) error {
	if r.DryRun {
		r.Say(setup.Would, in.label()+": "+text)
		return nil
	}
	if err := step(); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	r.Say(setup.Done, in.label()+": "+text)
	return nil
}

// tell says what was found beside our own action.
func (r *run) tell(list []Finding) {
	for _, f := range list {
		verb := setup.Note
		if f.Danger {
			verb = Danger
		}
		r.Say(verb, f.Org+": "+f.Text+": "+f.Fix)
	}
}

func (r *run) install(ctx context.Context, in *org) error {
	old := in.named(r.Script.Name)
	replaced := old != nil && r.replaces(old)
	r.tell(slices.DeleteFunc(in.dangers(), func(f Finding) bool { return replaced && f.script == old.ID }))
	r.tell(in.misnamed())
	script := r.Script
	if old == nil {
		text := fmt.Sprintf("create action %s (time limit %s, allowed to fail)", script.Name, script.Timeout)
		if err := r.do(in, text, func() (err error) { script.ID, err = r.client.CreateScript(ctx, in.ID, script); return err }); err != nil {
			return err
		}
	} else {
		script.ID = old.ID
		if err := r.change(ctx, in, *old, script); err != nil {
			return err
		}
	}
	if err := r.place(ctx, in, script); err != nil {
		return err
	}
	if old != nil {
		r.tell(slices.Concat(in.misplaced(old), in.hidden(old)))
	}
	return nil
}

// replaces reports whether this run may replace the script of an action of our name.
func (r *run) replaces(old *zitadel.Script) bool {
	switch originOf(old.Name, old.Source) {
	case unedited:
		return true
	case newer:
		return false
	}
	return r.Replace
}

// change brings an action to what it should be.
func (r *run) change(ctx context.Context, in *org, old, script zitadel.Script) error {
	if !r.replaces(&old) {
		return &InTheWayError{in.label(), old.Name, old.ID, in.leaks[old.ID] != "", originOf(old.Name, old.Source)}
	}
	if what := differs(old, script); len(what) > 0 {
		if err := r.do(in, "change action "+script.Name+": "+strings.Join(what, "; "), func() error { return r.client.ChangeScript(ctx, in.ID, script) }); err != nil {
			return err
		}
	} else {
		r.Say(setup.Kept, in.label()+": action "+script.Name)
	}
	if old.Inactive {
		return r.do(in, "activate action "+script.Name, func() error { return r.client.ActivateScript(ctx, in.ID, script.ID) })
	}
	return nil
}

// place puts the action into the flows, behind the actions that are there.
func (r *run) place(ctx context.Context, in *org, script zitadel.Script) error {
	for _, flow := range flows {
		there := in.at(flow.id)
		where := "flow " + flow.name + ", Post Authentication"
		if script.ID != "" && has(there, script.ID) {
			r.Say(setup.Kept, fmt.Sprintf("%s: %s is in the %s", in.label(), script.Name, where))
			continue
		}
		text := fmt.Sprintf("put %s into the %s%s", script.Name, where, behind(len(there)))
		if err := r.do(in, text, func() error { return r.appendTo(ctx, in.ID, flow.id, script.ID) }); err != nil {
			return err
		}
	}
	return nil
}

func behind(others int) string {
	switch others {
	case 0:
		return ""
	case 1:
		return ", behind the action that is there"
	}
	return fmt.Sprintf(", behind the %d actions that are there", others)
}

// appendTo reads the list again, because writing it replaces what others have changed
// since the first look.
func (r *run) appendTo(ctx context.Context, org, flow, id string) error {
	now, err := r.client.Flow(ctx, org, flow)
	if err != nil {
		return err
	}
	there := now[zitadel.TriggerPostAuthentication]
	if has(there, id) {
		return nil
	}
	if err := r.client.SetTrigger(ctx, org, flow, zitadel.TriggerPostAuthentication, append(idsOf(there), id)); err != nil {
		return err
	}
	return shown(ctx, func() (bool, error) {
		now, err := r.client.Flow(ctx, org, flow)
		return has(now[zitadel.TriggerPostAuthentication], id), err
	})
}

const (
	// A real ZITADEL at rest showed a change after 40 ms, at most 165 ms.
	lookAgain = 50 * time.Millisecond
	showsIn   = 10 * time.Second
)

// shown waits until ZITADEL's lists show a change. Without that, a run that follows at
// once would write an older list back. It fails where somebody has undone the change.
func shown(ctx context.Context, look func() (bool, error)) error {
	within, cancel := context.WithTimeout(ctx, showsIn)
	defer cancel()
	for {
		if ok, err := look(); ok || err != nil {
			return err
		}
		select {
		case <-within.Done():
			if err := ctx.Err(); err != nil {
				return err
			}
			return fmt.Errorf("ZITADEL has accepted the change, but does not show it after %s: it is under load, or somebody else changed it at the same time: run this again", showsIn)
		case <-time.After(lookAgain):
		}
	}
}

func (r *run) remove(ctx context.Context, in *org) error {
	old := in.named(r.Script.Name)
	r.tell(in.misnamed())
	switch {
	case old == nil:
		r.Say(setup.Kept, in.label()+": there is no action "+r.Script.Name)
		return nil
	case !isOurs(old.Name, old.Source):
		r.Say(setup.Kept, fmt.Sprintf("%s: action %s has a script that is not ours, and stays", in.label(), old.Name))
		return nil
	}
	text := "delete action " + old.Name
	if places := in.places(old.ID); len(places) > 0 {
		text += ", which takes it out of the flow " + strings.Join(places, " and of ")
	}
	return r.do(in, text, func() error {
		if err := r.client.DeleteScript(ctx, in.ID, old.ID); err != nil {
			return err
		}
		return shown(ctx, func() (bool, error) {
			now, err := r.client.Scripts(ctx, in.ID)
			return !has(now, old.ID), err
		})
	})
}
