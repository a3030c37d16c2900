// Package stores opens the store that the URL of a user names.
package stores

import (
	"context"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/etcd"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/postgres"
)

// New returns the store at url, postgres:// or etcd://. The error is about the URL and the
// files that it names. The first call of a method connects, and creates what the store needs; if
// that fails, the next call tries again. So a store that is away at the start of a process is
// like one that goes away later.
func New(url string) (cluster.Store, error) {
	if strings.HasPrefix(url, "etcd:") {
		if _, _, err := etcd.Parse(url); err != nil {
			return nil, err
		}
		return newLazy(func(ctx context.Context) (cluster.Store, error) { return opened(etcd.Open(ctx, url)) }), nil
	}
	if _, err := postgres.Parse(url); err != nil {
		return nil, err
	}
	return newLazy(func(ctx context.Context) (cluster.Store, error) { return opened(postgres.Open(ctx, url)) }), nil
}

// Unverified are the hosts of a URL whose certificate is not verified, or that have none, except on
// this machine.
func Unverified(url string) []string {
	if strings.HasPrefix(url, "etcd:") {
		return etcd.Unverified(url)
	}
	return postgres.Unverified(url)
}

// opened keeps a nil pointer from becoming a store.
func opened[S cluster.Store](s S, err error) (cluster.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
