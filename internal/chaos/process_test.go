package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a child that is killed when this process ends for any reason.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// startProcess starts cmd, appending what it says to the file log.
func startProcess(name string, cmd *exec.Cmd, log string) (*process, error) {
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = f
	}
	cmd.Stderr = f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	fmt.Fprintf(f, "--- start at %s\n", time.Now().Format(time.RFC3339Nano))
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	children.add(p)
	return p, nil
}

// ended reports whether it has ended by itself.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill is kill -9. It reports false when the process had ended before.
func (p *process) kill() bool {
	alive := !p.ended() && p.cmd.Process.Kill() == nil
	<-p.done
	return alive
}

// stopTime is longer than any reader may take: grace of Fluent Bit, and two
// seconds of the plugin.
const stopTime = 30 * time.Second

// stop is SIGTERM and the wait for the end.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTime):
		// The log then shows where it hangs.
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-p.done:
		case <-time.After(2 * time.Second):
			p.kill()
		}
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, stopTime)
	}
}

// children are all that were started, for the end.
var children processes

type processes struct {
	mu  sync.Mutex
	all []*process
}

func (c *processes) add(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, p)
}

func (c *processes) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.all {
		p.kill()
	}
	c.all = nil
}

// self is this binary in another role, with nothing in its environment but
// what is given.
func self(role string, env ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append([]string{roleVariable + "=" + role, "TMPDIR=" + os.TempDir()}, env...)
	return cmd
}
