package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// sidecar runs `zitadel-siem pull`, and `zitadel-siem parse` for the log of the fake
// server.
type sidecar struct {
	program string
	values  map[string]string // options of pull; parse has none
	log     string            // its path; a real instance has its log elsewhere
	console *terminal.Console
	errors  atomic.Uint64
}

func newSidecar(program, dir string, values map[string]string, console *terminal.Console) *sidecar {
	return &sidecar{program: program, values: values, log: filepath.Join(dir, actionsFile), console: console}
}

// environment replaces the variables of all options in env by those of values, so that
// nothing else decides where zitadel-siem reads and writes, or as whom.
func environment(env []string, values map[string]string) []string {
	options := map[string]bool{}
	for _, o := range slices.Concat(config.Pull.Options, config.Output.Options) {
		options[o.Env()] = true
	}
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return options[name]
	})
	for _, o := range config.Pull.Options {
		if value, ok := values[o.Name]; ok {
			env = append(env, o.Env()+"="+value)
		}
	}
	return env
}

func (s *sidecar) run(ctx context.Context, show func([]byte)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parsed error
	var parsing sync.WaitGroup
	if log, err := os.Open(s.log); err == nil {
		defer log.Close()
		// It ends with its input, so that it writes what it has read.
		parsing.Go(func() { parsed = s.child(context.WithoutCancel(ctx), growing{ctx, log}, show, nil, "parse") })
	}
	err := s.child(ctx, nil, show, s.values, "pull")
	cancel()
	parsing.Wait()
	return errors.Join(err, parsed)
}

func (s *sidecar) failures() uint64 { return s.errors.Load() }

// child runs one command until it ends by itself or ctx ends.
func (s *sidecar) child(ctx context.Context, stdin io.Reader, show func([]byte), values map[string]string, command string) error {
	cmd := exec.CommandContext(ctx, s.program, command)
	cmd.Env, cmd.Stdin = environment(os.Environ(), values), stdin
	// Ctrl-C is for the demo alone: the child ends when the last records have arrived.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var readers sync.WaitGroup
	readers.Go(func() { records(stdout, show) })
	readers.Go(func() { s.follow(ctx, stderr) })
	readers.Wait()
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("zitadel-siem %s ended: %w; its message is above", command, err)
	}
	return nil
}

// failure is a line of zitadel-siem's log about something that failed.
var failure = regexp.MustCompile(`^\d\d:\d\d:\d\d (warn|error): `)

// follow shows what zitadel-siem says until it is told to end, and counts failures.
func (s *sidecar) follow(ctx context.Context, r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := printable(lines.Text())
		if failure.MatchString(line) {
			s.errors.Add(1)
		}
		if ctx.Err() == nil {
			s.console.Line(line)
		}
	}
	_, _ = io.Copy(io.Discard, r) // a line over the limit must not block the child
}

// growing reads a file that another goroutine appends to. It ends with ctx.
type growing struct {
	ctx  context.Context
	file *os.File
}

func (g growing) Read(b []byte) (int, error) {
	for {
		n, err := g.file.Read(b)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		select {
		case <-g.ctx.Done():
			return 0, io.EOF
		case <-time.After(100 * time.Millisecond):
		}
	}
}
