package chaos

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

const clockVariable = "CHAOS_CLOCK"

// sidecarRole is `zitadel-siem pull --forward` on a wall clock that the test
// moves.
func sidecarRole() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	settings, _, err := config.Pull.ParseMap(config.Pull.FromEnv(os.Getenv), config.ParseOptions{NeedState: true, NeedForward: true})
	if err != nil {
		return err
	}
	to, encode, err := sink.Open(settings.Out, format.Raw(), nil)
	if err != nil {
		return err
	}
	wall := &clock{os.Getenv(clockVariable)}
	f, err := sidecar.Open(ctx, settings, to, source.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: wall.now, Encode: encode})
	if err != nil {
		return err
	}
	if err := f.Run(ctx); err != nil {
		return err
	}
	return f.Close()
}

// pullEnv are the options of a reader that is no plugin.
func (w *world) pullEnv(r *reader) []string {
	return []string{
		"ZITADEL_URL=http://" + r.up.addr(), "ZITADEL_TOKEN=" + w.token, "ZITADEL_INSTANCE=" + instance, "ZITADEL_STATE_PATH=" + r.state(),
		"ZITADEL_TRANSPORT=" + w.transport(), "ZITADEL_PAGE_SIZE=" + strconv.Itoa(w.pageSize()),
		"ZITADEL_SETTLE=200ms", "ZITADEL_POLL_INTERVAL=500ms", "ZITADEL_REQUEST_TIMEOUT=3s", "ZITADEL_OVERLAP=" + overlap.String(),
	}
}

func (w *world) addSidecar() error {
	r, err := w.addReader("the sidecar")
	if err != nil {
		return err
	}
	if err := w.addFarEnd(r, 1); err != nil {
		return err
	}
	r.sends = true
	r.clock = &clock{filepath.Join(r.dir, "clock")}
	env := append(w.pullEnv(r), "ZITADEL_FORWARD=tcp://"+r.down.addr(), "ZITADEL_TAG=audit", "ZITADEL_ACK_TIMEOUT=2s", clockVariable+"="+r.clock.path)
	r.command = func(*reader) *exec.Cmd { return self("sidecar", env...) }
	return nil
}

// addPull adds the real program, which appends lines to a file.
func (w *world) addPull() error {
	r, err := w.addReader("pull to a file")
	if err != nil {
		return err
	}
	bin := testkit.Program(w.t)
	r.sends = true
	records := filepath.Join(r.dir, "records")
	r.records, r.tally = &follow{path: records}, newTally()
	env := append(os.Environ(), w.pullEnv(r)...)
	r.command = func(*reader) *exec.Cmd {
		cmd := exec.Command("sh", "-c", `exec "$0" pull >>"$1"`, bin, records)
		cmd.Env = env
		return cmd
	}
	return nil
}
