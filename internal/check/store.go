package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/stores"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// slowStore is a round trip that three renewals in a lease of 15 s bear, but no reader of
// many events: each of its batches waits for one.
const slowStore = 200 * time.Millisecond

// silent is for states that cannot be looked at.
func silent(*report, config.Settings) {}

// checkStore looks at the store that processes share, and returns what says the state of a
// source.
func checkStore(ctx context.Context, r *report, s config.SharedState, sources []config.PullSettings, offline bool) func(*report, config.Settings) {
	store, err := stores.New(s.URL.Reveal())
	if err != nil {
		r.wrong = true
		r.say(fails, "store", err.Error(), "")
		return silent
	}
	defer statestore.Close(store)
	if open := stores.Unverified(s.URL.Reveal()); len(open) > 0 {
		r.say(warns, "store", fmt.Sprintf("the certificate of %s is not verified: whoever is on the way there can read the password and the states, and change them", strings.Join(open, ", ")),
			"in state, remove tls=off (etcd), or write sslmode=verify-full (PostgreSQL); for an authority of your own, add ca_file=PATH (etcd) or sslrootcert=PATH (PostgreSQL)")
	}
	if offline {
		r.say(passes, "store", s.Where()+": the URL is right", "")
		return silent
	}
	return checkOpenStore(ctx, r, store, s.Where(), sources)
}

// checkOpenStore registers no source, and takes one only while there is no member.
func checkOpenStore(ctx context.Context, r *report, store cluster.Store, where string, sources []config.PullSettings) func(*report, config.Settings) {
	within, cancel := context.WithTimeout(ctx, statestore.Within)
	defer cancel()
	err := checkStoreAccess(within, r, store, where)
	var found statestore.Holdings
	if err == nil {
		found, err = statestore.Look(within, store)
	}
	if err != nil {
		r.say(fails, "store", err.Error(), statestore.Fix(err))
		r.say(skips, "store", "members and states of sources: not looked at, because the store cannot be used", "")
		return silent
	}
	r.say(passes, "store", "members: "+shownMembers(found.Members), "")
	switch {
	case found.Refused != "":
		r.say(fails, "store", "members take no source: the store went back: "+found.Refused, cluster.FixRefused)
		return silent
	case len(found.Members) == 0 && found.Idle > cluster.DefaultMaxAge:
		r.say(fails, "store", fmt.Sprintf("members will take no source: no member has used the store for %s, as if it was restored from an old backup", terminal.Roughly(found.Idle)), cluster.FixRefused)
		return silent
	}
	return statesIn(ctx, store, found, sources)
}

// checkStoreAccess does what a member does: it connects, reads, and has a lease for a moment.
func checkStoreAccess(ctx context.Context, r *report, store cluster.Store, where string) error {
	began := time.Now()
	if _, err := store.Look(ctx); err != nil { // makes tables if there are none
		return err
	}
	connected := time.Since(began)
	began = time.Now()
	if _, err := store.Look(ctx); err != nil {
		return err
	}
	trip := time.Since(began)
	text := fmt.Sprintf("%s: connected and logged in within %s; one request takes %s", where, short(connected), short(trip))
	if trip > slowStore {
		r.say(warns, "store", text, "use a store that is nearer: each batch of events waits for one request")
	} else {
		r.say(passes, "store", text, "")
	}
	if err := tryLease(ctx, store); err != nil {
		return fmt.Errorf("a lease cannot be written: %w", err)
	}
	r.say(passes, "store", "this user may read and write; a lease was granted, renewed and ended", "")
	return nil
}

// short is for times of one request.
func short(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// tryLease has a lease for a moment, and asks for the permissions that a source needs
// without one. Its note is that of no list of sources, so that no member counts on it.
func tryLease(ctx context.Context, store cluster.Store) error {
	note := cluster.Note{Name: "check", Sources: "check"}
	lease, err := store.Grant(ctx, cluster.MinTTL, note)
	if err != nil {
		return err
	}
	err = store.Renew(ctx, lease, note)
	if err == nil {
		err = store.Register(ctx, nil)
	}
	if err == nil {
		err = store.Release(ctx, lease, "", 0)
	}
	return errors.Join(err, store.Revoke(ctx, lease))
}

// maxMembers is how many members are named.
const maxMembers = 8

func shownMembers(list []cluster.MemberStatus) string {
	if len(list) == 0 {
		return "none, so no process reads from this store now"
	}
	var parts []string
	for _, m := range list[:min(len(list), maxMembers)] {
		parts = append(parts, fmt.Sprintf("%s holds %d and waits for %d", m.Name, len(m.Held), m.Waiting))
	}
	if more := len(list) - maxMembers; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, ", ")
}

// statesIn looks at the sources of a configuration. What a member holds nobody else can
// read: the status page of the member shows how far it is.
func statesIn(ctx context.Context, store cluster.Store, h statestore.Holdings, sources []config.PullSettings) func(*report, config.Settings) {
	holder, free := map[string]string{}, map[string]bool{}
	for _, m := range h.Members {
		for _, instance := range m.Held {
			holder[instance] = m.Name
		}
	}
	for _, instance := range h.Nobody {
		free[instance] = true
	}
	states, errs := map[string]cursor.State{}, map[string]error{}
	var stopped error
	if len(h.Members) == 0 {
		var readable []string
		for _, s := range sources {
			if free[s.Instance] {
				readable = append(readable, s.Instance)
			}
		}
		stopped = statestore.Read(ctx, store, cluster.Options{Name: "check"}, readable, func(instance string, state cursor.State, err error) {
			state.Seen = nil // the bulk of it
			states[instance], errs[instance] = state, err
		})
	}
	return func(r *report, s config.Settings) {
		source := fmt.Sprintf("source %q: ", s.Instance)
		state := states[s.Instance]
		switch err := cmp.Or(errs[s.Instance], stopped); {
		case holder[s.Instance] != "":
			r.say(passes, "state", source+"read by "+holder[s.Instance]+", whose status page shows how far", "")
		case free[s.Instance] && len(h.Members) > 0:
			r.say(warns, "state", source+"held by no member", "look again in half a minute; if that stays, the logs of the members say why")
		case err != nil:
			r.say(fails, "state", source+err.Error(), statestore.Fix(err))
		case state.Instance == "":
			r.say(passes, "state", source+"no state in the store yet: reading begins at "+s.Start.String(), "")
		default:
			r.say(passes, "state", source+statestore.Describe(state), "")
			checkHoles(r, state)
		}
	}
}
