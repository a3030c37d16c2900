package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Client is what setup needs of ZITADEL. A [zitadel.Client] does it.
type Client interface {
	Target(ctx context.Context, name string) (*zitadel.Target, error)
	CreateTarget(ctx context.Context, name, endpoint string) (id string, key config.Secret, err error)
	ChangeTarget(ctx context.Context, id string, change zitadel.TargetChange) (config.Secret, error)
	DeleteTarget(ctx context.Context, id string) error
	Executions(ctx context.Context) ([]zitadel.Execution, error)
	SetExecution(ctx context.Context, condition *actionpb.Condition, targets []string) error
	EventTypes(ctx context.Context) ([]string, error)
	Methods(ctx context.Context) ([]string, error)
}

// Options of a run.
type Options struct {
	config.SetupSettings
	Rotate bool // have ZITADEL sign with a new key
	DryRun bool // change nothing
	// Calls sends API calls as well, those of the setting methods. [Remove] then removes
	// nothing else.
	Calls bool
	// Say takes each step as one line. The line may contain text of others.
	Say func(verb Verb, text string)
}

// Verb is the result of a step.
type Verb string

// The verbs that [Options.Say] is called with.
const (
	Done  Verb = "done"
	Would Verb = "would" // in a dry run
	Kept  Verb = "kept"  // was right already
	Note  Verb = "note"
)

// run is one call of [Run] or [Remove].
type run struct {
	Options
	client Client
	keys   *keyFile
	target *zitadel.Target // nil: there is none yet
}

// newID stands for the id of a target that a dry run does not create.
const newID = "the new target"

// Run changes target, key file and executions to what the options say.
func Run(ctx context.Context, client Client, o Options) (err error) {
	r := &run{Options: o, client: client}
	if r.keys, err = readKeyFile(o.KeysDir, o.Name); err != nil {
		return err
	}
	defer r.keys.close()
	if r.target, err = client.Target(ctx, o.Name); err != nil {
		return err
	}
	wanted, err := r.conditions(ctx)
	if err != nil {
		return err
	}
	var methods []string
	if o.Calls {
		if methods, err = r.methods(ctx); err != nil {
			return err
		}
	}
	all, calls, err := r.executions(ctx)
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.route(ctx, all, wanted); err != nil {
		return err
	}
	if !o.Calls {
		r.sayCallsStay(calls)
		return nil
	}
	if err := r.routeCalls(ctx, calls, callConditions(methods)); err != nil {
		return err
	}
	r.warnOfCalls(len(methods))
	return nil
}

func (r *run) conditions(ctx context.Context) ([]condition, error) {
	var types []string
	if slices.ContainsFunc(r.Events, func(item string) bool { return item != "all" }) {
		var err error
		if types, err = r.client.EventTypes(ctx); err != nil {
			return nil, err
		}
	}
	return conditions(r.Events, types)
}

// executions returns those for events, and those for calls.
func (r *run) executions(ctx context.Context) (events, calls table, err error) {
	list, err := r.client.Executions(ctx)
	if err != nil {
		return nil, nil, err
	}
	events, calls = table{}, table{}
	for _, e := range list {
		if c, ok := conditionOf(e.Condition); ok {
			events[c] = e.Targets
		} else if c, ok := callConditionOf(e.Condition); ok {
			calls[c] = e.Targets
		}
	}
	return events, calls, nil
}

// do makes a step. A dry run only says it.
func (r *run) do(text string, step func() error) error {
	if r.DryRun {
		r.Say(Would, text)
		return nil
	}
	if err := step(); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	r.Say(Done, text)
	return nil
}

func (r *run) endpoint() string { return r.Endpoint.JoinPath(r.Name).String() }

// settle brings the target and its key file to what the options say.
func (r *run) settle(ctx context.Context) error {
	if r.target == nil {
		return r.create(ctx)
	}
	t := r.target
	key := t.Key // to be written
	switch {
	case r.Rotate, key != "" && r.keys.has(key):
		key = ""
	case key == "" && len(r.keys.keys) == 0:
		return fmt.Errorf("target %s exists, and this ZITADEL does not show its signing key again, but there is no key file %q: "+
			"restore the file, or use --rotate, which makes a new key; other readers that use the old key then need the new one", r.Name, r.keys.path)
	}
	if (r.Rotate || key != "") && !r.DryRun {
		if err := r.keys.begin(); err != nil {
			return err
		}
	}
	if err := r.change(ctx); err != nil {
		return err
	}
	if key != "" {
		return r.do(fmt.Sprintf("write the signing key of target %s, which is missing in %s, to the end of it", r.Name, r.keys.path), func() error { return r.keys.add(key) })
	}
	if !r.Rotate {
		r.Say(Kept, "key file "+r.keys.path)
	}
	return nil
}

func (r *run) create(ctx context.Context) error {
	text := fmt.Sprintf("create target %s for %s, asynchronous, and write its signing key to %s", r.Name, r.endpoint(), r.keys.path)
	return r.do(text, func() error {
		if err := r.keys.begin(); err != nil {
			return err
		}
		id, key, err := r.client.CreateTarget(ctx, r.Name, r.endpoint())
		if err != nil {
			return err
		}
		if id == "" {
			return errors.New("ZITADEL's answer has no id: run this again, and make sure that nothing on the way changes its answers")
		}
		r.target = &zitadel.Target{ID: id, Name: r.Name}
		return r.keys.add(key)
	})
}

// change changes an existing target where it differs from the options.
func (r *run) change(ctx context.Context) error {
	t, change := r.target, zitadel.TargetChange{NewKey: r.Rotate}
	var what []string
	if t.Endpoint != r.endpoint() {
		change.Endpoint = r.endpoint()
		what = append(what, "its endpoint from "+t.Endpoint+" to "+change.Endpoint)
	}
	if t.Holds {
		change.Loosen = true
		what = append(what, "its type to asynchronous: nobody waits for it")
	}
	if !t.JSON {
		change.JSON = true
		what = append(what, "its payload to JSON: ZITADEL sends no events as JWT or JWE")
	}
	if r.Rotate {
		what = append(what, "its signing key, and write the new one to the end of "+r.keys.path)
	}
	if len(what) == 0 {
		r.Say(Kept, "target "+r.Name+" for "+r.endpoint())
		return nil
	}
	err := r.do("change target "+r.Name+": "+strings.Join(what, ", "), func() error {
		key, err := r.client.ChangeTarget(ctx, t.ID, change)
		if err != nil || !r.Rotate {
			return err
		}
		return r.keys.add(key)
	})
	if err == nil && r.Rotate && !r.DryRun && len(r.keys.keys) > 1 {
		r.Say(Note, "ZITADEL signs with the new key at once; the lines above it in "+r.keys.path+" are needed only for requests that are on their way, and can then be removed")
	}
	return err
}

// Remove takes our target out of every execution, and then deletes it. With [Options.Calls]
// it takes it out of those for calls, and leaves the rest.
func Remove(ctx context.Context, client Client, o Options) (err error) {
	r := &run{Options: o, client: client}
	if r.target, err = client.Target(ctx, o.Name); err != nil {
		return err
	}
	if r.target == nil {
		r.Say(Kept, "there is no target "+o.Name)
		return nil
	}
	list, err := client.Executions(ctx)
	if err != nil {
		return err
	}
	all, calls := table{}, table{}
	for _, e := range list {
		if c, ok := conditionOf(e.Condition); ok {
			all[c] = e.Targets
		} else if c, ok := callConditionOf(e.Condition); ok {
			calls[c] = e.Targets
		} else if slices.Contains(e.Targets, r.target.ID) && !o.Calls {
			rest := without(e.Targets, r.target.ID)
			text := fmt.Sprintf("take target %s out of the execution of %s%s", o.Name, e.Condition, others(rest, "which keeps"))
			if err := r.do(text, func() error { return client.SetExecution(ctx, e.Condition, rest) }); err != nil {
				return err
			}
		}
	}
	if err := r.routeCalls(ctx, calls, nil); err != nil || o.Calls {
		return err
	}
	if err := r.route(ctx, all, nil); err != nil {
		return err
	}
	if err := r.do("delete target "+o.Name, func() error { return client.DeleteTarget(ctx, r.target.ID) }); err != nil {
		return err
	}
	r.Say(Note, "the key file of "+o.Name+" stays for requests that are on their way; it can be removed then")
	return nil
}
