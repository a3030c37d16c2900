package testkit

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// FindFluentBit returns the real Fluent Bit, $FLUENT_BIT or fluent-bit on PATH, or "".
func FindFluentBit() string {
	if program := os.Getenv("FLUENT_BIT"); program != "" {
		return program
	}
	program, _ := exec.LookPath("fluent-bit")
	return program
}

// FluentBit returns the real Fluent Bit, or skips the test.
func FluentBit(t testing.TB) string {
	t.Helper()
	program := FindFluentBit()
	if program == "" {
		t.Skip("no fluent-bit on PATH, FLUENT_BIT is not set: NOTHING was tested with the real Fluent Bit")
	}
	return program
}

// Process is a running program. It is killed at the end of the test.
type Process struct {
	Out, Err *Text // standard output, standard error

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // once ended is closed
}

// Start starts cmd. A log that is given takes what it writes to both outputs.
func Start(t testing.TB, cmd *exec.Cmd, log *Text) *Process {
	t.Helper()
	p := &Process{Out: log, Err: log, t: t, cmd: cmd, ended: make(chan struct{})}
	if log == nil {
		p.Out, p.Err = new(Text), new(Text)
	}
	cmd.Stdout, cmd.Stderr = p.Out, p.Err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("what %v said:\n%.10000s", cmd.Args, p.Err)
		}
	})
	return p
}

// Pid is the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal. It is no error if the process has ended.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// Wait waits for its end and returns its result.
func (p *Process) Wait() error {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Fatalf("%v did not end", p.cmd.Args)
	}
	return p.err
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(os.Kill)
	_ = p.Wait()
}

// Stop sends SIGTERM and returns how long the end took.
func (p *Process) Stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		p.t.Errorf("%v ended with %v", p.cmd.Args, err)
	}
	return time.Since(began)
}

// Until waits for ok while the process runs.
func (p *Process) Until(what string, ok func() bool) {
	p.t.Helper()
	Until(p.t, what, func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("%v ended by itself before %s: %v", p.cmd.Args, what, p.err)
		default:
		}
		return ok()
	})
}

// lastPort counts below the ports that systems give out by themselves (Linux from 32768
// on), so that nobody else gets one while nobody listens there. Test processes that run at the same
// time have process numbers close to each other: each begins some hundred ports further.
var lastPort atomic.Int32

// FreePort returns a port of loopback that nobody listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := fmt.Sprint(20_000 + (int32(os.Getpid())*373+lastPort.Add(1))%10_000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}
