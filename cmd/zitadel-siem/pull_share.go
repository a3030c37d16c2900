package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/stores"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
)

// start opens the sources. With a store, a source is opened once this process holds it.
func (c *pullCommand) start(ctx context.Context, sources config.Sources, log *slog.Logger) (_ *sidecar.Set, end func(), err error) {
	if !c.shared.On() {
		if c.AcceptOldState {
			return nil, nil, fmt.Errorf("--accept-old-state has no effect without state: remove it%w", silent{errUsage})
		}
		set, err := sidecar.Start(ctx, sources.List, c.opener(log), log)
		return set, func() {}, err
	}
	store, err := openStore(c.shared)
	if err != nil {
		return nil, nil, err
	}
	member, err := cluster.New(cluster.Options{Store: statestore.Explained{Store: store}, TTL: c.shared.Lease, AcceptOld: c.AcceptOldState, Log: log})
	if err != nil {
		statestore.Close(store)
		return nil, nil, err
	}
	log.Info("the sources are shared with other members", "member", member.Status().Name)
	return sidecar.Share(sources.List, member, c.opener(log), log), func() { statestore.Close(store) }, nil
}

// openStore opens the store without a connection yet.
func openStore(s config.SharedState) (cluster.Store, error) {
	store, err := stores.New(s.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return store, nil
}

// sharedState is what flags and variables say of a store.
func sharedState(flag, lease string) (config.SharedState, error) {
	if config.PasswordIn(flag) {
		return config.SharedState{}, fmt.Errorf("--state has a password, which everybody on this machine can see: give it as password_file=PATH in the URL, or the whole URL as ZITADEL_STATE%w", silent{errUsage})
	}
	state, err := config.ParseSharedState(cmp.Or(flag, os.Getenv("ZITADEL_STATE")), cmp.Or(lease, os.Getenv("ZITADEL_STATE_LEASE")))
	if err != nil {
		return config.SharedState{}, fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return state, nil
}
