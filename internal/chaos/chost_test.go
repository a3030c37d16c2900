package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// cHost makes r the plugin in the small host of plugintest, for machines
// without Fluent Bit. What the host took is in a file for each start.
func (w *world) cHost(r *reader, plugin string) {
	host := plugintest.Current.Path(w.t)
	files := &hostFiles{dir: r.dir}
	r.records, r.tally = files, newTally()
	options := []string{
		"url http://" + r.up.addr(), "token " + w.token, "instance " + instance, "state_path " + r.state(), "transport " + w.transport(),
		"settle 200ms", "overlap " + overlap.String(), "poll_interval 500ms", "request_timeout 3s", fmt.Sprint("page_size ", w.pageSize()),
	}
	var in, out, answers, commands *os.File
	r.command = func(*reader) *exec.Cmd {
		cmd := exec.Command(host)
		var err error
		if in, commands, err = os.Pipe(); err != nil {
			w.t.Error(err)
		}
		if answers, out, err = os.Pipe(); err != nil {
			w.t.Error(err)
		}
		cmd.Stdin, cmd.Stdout = in, out
		return cmd
	}
	r.begun = func(r *reader, p *process) error {
		in.Close()
		out.Close()
		h := &hostTalk{in: commands, out: bufio.NewScanner(answers), collecting: make(chan struct{})}
		lines := []string{"load " + plugin, "register", "files 0 " + files.next(), "script 0 0 0 -1"}
		for _, o := range options {
			lines = append(lines, "prop 0 "+o)
		}
		for _, line := range lines {
			if _, err := h.do(line); err != nil {
				return err
			}
		}
		if started, err := h.do("init 0"); err != nil || started != "1" {
			return fmt.Errorf("init answers %q: %w", started, err)
		}
		go h.collect()
		r.halt = func() error {
			h.end()
			commands.Close()
			<-p.done
			answers.Close()
			return p.err
		}
		return nil
	}
}

// hostTalk gives a host commands.
type hostTalk struct {
	mu         sync.Mutex
	in         io.Writer
	out        *bufio.Scanner
	ending     bool
	collecting chan struct{} // closed when no more callbacks come
}

func (h *hostTalk) do(line string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := fmt.Fprintln(h.in, line); err != nil {
		return "", err
	}
	if !h.out.Scan() {
		return "", errors.New("the host has ended")
	}
	return h.out.Text(), nil
}

// collect calls the plugin back as Fluent Bit does, only more often.
func (h *hostTalk) collect() {
	defer close(h.collecting)
	for {
		h.mu.Lock()
		ending := h.ending
		h.mu.Unlock()
		if ending {
			return
		}
		if _, err := h.do("collect 0"); err != nil {
			return // killed
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// end is what Fluent Bit does at SIGTERM.
func (h *hostTalk) end() {
	h.mu.Lock()
	h.ending = true
	h.mu.Unlock()
	<-h.collecting
	_, _ = h.do("exit") // or it was killed
	_, _ = h.do("unregister")
}

// hostFiles are what the starts of a host wrote: msgpack records one after the
// other, the last one of a file maybe cut.
type hostFiles struct {
	dir    string
	starts int
	at     []int // how much of each is read
}

func (f *hostFiles) path() string { return filepath.Join(f.dir, fmt.Sprint("start-", f.starts)) }

func (f *hostFiles) next() string {
	f.starts++
	f.at = append(f.at, 0)
	return f.path()
}

func (f *hostFiles) read(t *tally) error {
	for i := range f.at {
		b, err := os.ReadFile(filepath.Join(f.dir, fmt.Sprint("start-", i+1, ".data")))
		if err != nil {
			return err
		}
		for {
			rest, err := msgp.Skip(b[f.at[i]:])
			if err != nil {
				break // cut, or being written
			}
			end := len(b) - len(rest)
			records, err := forwardtest.Decode(b[f.at[i]:end])
			if err != nil {
				return err
			}
			t.takeRecords(records)
			f.at[i] = end
			if len(rest) == 0 {
				break
			}
		}
	}
	return nil
}
