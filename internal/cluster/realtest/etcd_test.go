package realtest

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// etcdCluster is an etcd of three members in this process, that a test can stop and start.
type etcdCluster struct {
	configs []*embed.Config
	members []*embed.Etcd
}

// startEtcd takes what is to be changed in the configuration of each member.
func startEtcd(t testing.TB, change ...func(*embed.Config)) *etcdCluster {
	t.Helper()
	c := &etcdCluster{}
	dir := t.TempDir()
	var peers []string
	for i := range 3 {
		config := embed.NewConfig()
		config.Name = fmt.Sprintf("m%d", i)
		config.Dir = filepath.Join(dir, config.Name)
		config.LogLevel, config.LogOutputs = "fatal", []string{"/dev/null"}
		client := url.URL{Scheme: "http", Host: "127.0.0.1:" + testkit.FreePort(t)}
		peer := url.URL{Scheme: "http", Host: "127.0.0.1:" + testkit.FreePort(t)}
		config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
		config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
		peers = append(peers, config.Name+"="+peer.String())
		for _, f := range change {
			f(config)
		}
		c.configs = append(c.configs, config)
	}
	for _, config := range c.configs {
		config.InitialCluster = strings.Join(peers, ",")
	}
	c.start(t)
	t.Cleanup(func() { c.stop(t) })
	return c
}

func (c *etcdCluster) start(t testing.TB) {
	t.Helper()
	c.members = nil
	for _, config := range c.configs {
		member, err := embed.StartEtcd(config)
		if err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, member)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, member := range c.members {
		select {
		case <-member.Server.ReadyNotify():
		case <-ctx.Done():
			t.Fatal("etcd is not ready")
		}
	}
}

func (c *etcdCluster) stop(testing.TB) {
	for _, member := range c.members {
		member.Close()
	}
	c.members = nil
}

// leaveOne stops two of the three members.
func (c *etcdCluster) leaveOne() {
	for _, member := range c.members[1:] {
		member.Close()
	}
	c.members = c.members[:1]
}

func (c *etcdCluster) url() string {
	var hosts []string
	for _, config := range c.configs {
		hosts = append(hosts, config.ListenClientUrls[0].Host)
	}
	return "etcd://" + strings.Join(hosts, ",") + "/test"
}
