package demo

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// sidecar runs `zitadel-siem pull`, and `zitadel-siem parse` for the log of the fake
// server.
type sidecar struct {
	program
	values map[string]string // options of pull; parse has the format alone
	log    string            // its path; a real instance has its log elsewhere
}

func newSidecar(path, dir string, values map[string]string, console *terminal.Console) *sidecar {
	return &sidecar{values: values, log: filepath.Join(dir, actionsFile), program: program{path: path, console: console,
		shown: regexp.MustCompile(``), failure: regexp.MustCompile(`^\d\d:\d\d:\d\d (warn|error): `)}}
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
		all := context.WithoutCancel(ctx)
		parsing.Go(func() {
			parsed = s.child(all, show, s.command(all, "parse", map[string]string{"format": s.values["format"], "tier": "noise"}, growing{ctx, log}))
		})
	}
	err := s.child(ctx, show, s.command(ctx, "pull", s.values, nil))
	cancel()
	parsing.Wait()
	return errors.Join(err, parsed)
}

func (s *sidecar) command(ctx context.Context, name string, values map[string]string, stdin io.Reader) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.path, name)
	cmd.Env, cmd.Stdin = environment(os.Environ(), values), stdin
	return cmd
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
