package deploy

import (
	"slices"
	"testing"

	core "k8s.io/api/core/v1"
)

// TestChart_SeveralPodsReceiveWebhooksOnlyWhileTheyListen holds what keeps webhooks from a pod that
// starts or ends: ZITADEL sends each of them once. A pod that listens is ready whatever the API and
// the receiver do. One that is to end works on until nobody sends to it any more.
func TestChart_SeveralPodsReceiveWebhooksOnlyWhileTheyListen(t *testing.T) {
	all := render(t, example(t, "sidecar-store-values.yaml"))
	spec := podTemplate(t, all).Spec
	c := spec.Containers[0]
	probe := c.ReadinessProbe.TCPSocket
	if probe == nil || !slices.ContainsFunc(c.Ports[1:], func(p core.ContainerPort) bool { return p.Name == probe.Port.StrVal }) {
		t.Errorf("readiness does not depend on the port for webhooks: %+v", c.ReadinessProbe)
	}
	if begun, lives := c.StartupProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path; begun != "/health" || lives != "/live" {
		t.Errorf("it has begun with %s, and lives with %s", begun, lives)
	}
	if all["Service/siem-zitadel-siem-webhooks"].(*core.Service).Spec.PublishNotReadyAddresses {
		t.Error("the Service sends webhooks to pods that do not listen")
	}
	const lastSend = 5 // seconds for the message under way, after SIGTERM
	if l := c.Lifecycle; l == nil || l.PreStop.Sleep == nil || l.PreStop.Sleep.Seconds+lastSend >= *spec.TerminationGracePeriodSeconds {
		t.Errorf("it ends at once, or is killed: %+v, %d s", l, *spec.TerminationGracePeriodSeconds)
	}
	files, err := templateFor("v1.29.9", example(t, "sidecar-store-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if all, err := decodeFiles(files); err != nil || podTemplate(t, all).Spec.Containers[0].Lifecycle != nil {
		t.Errorf("Kubernetes 1.29 refuses a preStop that sleeps; %v", err)
	}
	without := podTemplate(t, render(t, example(t, "sidecar-etcd-values.yaml"))).Spec.Containers[0]
	if without.Lifecycle != nil || without.ReadinessProbe.HTTPGet == nil {
		t.Errorf("without webhooks: %+v, %+v", without.Lifecycle, without.ReadinessProbe)
	}
}

// TestChart_TheVolumeHasRoomForEachSpool compares the limit with what the spools may hold: the
// kubelet evicts a pod that exceeds it, and its spools with it.
func TestChart_TheVolumeHasRoomForEachSpool(t *testing.T) {
	const slack = 64 << 20 // for each spool
	for more, size := range map[string]int64{
		`{}`:                                   1e9 + 256e6,
		`{defaults: {spool_size: 2.5G}}`:       1e9 + 25e8,
		`{defaults: {spool_size: "64000000"}}`: 1e9 + 64e6,
		`{defaults: {spool_size: 64000000}}`:   1e9 + 64e6,
		`{defaults: {spool_size: 500k}}`:       1e9 + 5e5,
		`{defaults: {spool_size: 64gb}}`:       1e9 + 64e9,
	} {
		spec := podTemplate(t, render(t, with(t, example(t, "sidecar-store-values.yaml"), more))).Spec
		at := slices.IndexFunc(spec.Volumes, func(v core.Volume) bool { return v.Name == "spool" })
		if at < 0 {
			t.Fatal("no volume for spools")
		}
		limit := spec.Volumes[at].EmptyDir.SizeLimit.Value()
		if least := size + 2*slack; limit < least || limit > least+2<<20 {
			t.Errorf("%s: the limit is %d, want %d", more, limit, least)
		}
	}
}
