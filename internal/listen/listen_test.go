package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"
	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const signingKey = "S1Tr4d7TxPZoL6Ou2GlvwEHWDbGYHMFOAXul" // made up

// rig is a listener with a directory of its own.
type rig struct {
	*Listener
	t    *testing.T
	log  *testkit.Text
	stop func() error // Run's result

	pushes <-chan events.Push
	detach func()
	wait   func() error // for its own end
}

func newRig(t *testing.T, dir string, change ...func(*config.Settings)) *rig {
	t.Helper()
	keys := filepath.Join(dir, "keys")
	if err := errors.Join(os.MkdirAll(keys, 0o700), os.WriteFile(filepath.Join(keys, "all"), []byte(signingKey), 0o600)); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: &testkit.Text{}}
	s := config.Settings{Instance: "demo", URL: &url.URL{Scheme: "https", Host: "zitadel.example.com"}, RequestTimeout: time.Second,
		Listen: config.ListenSettings{Address: "127.0.0.1:0", KeysDir: keys, Bodies: true, SpoolPath: filepath.Join(dir, "spool"), SpoolSize: 64 << 20}}
	for _, f := range change {
		f(&s)
	}
	l, err := Open(s, slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.Listener = l
	r.pushes, r.detach = l.Attach()
	return r
}

// run begins to run, and waits until it listens.
func (r *rig) run() {
	r.t.Helper()
	r.start()
	r.until("no address", func() bool { return r.Addr() != "" })
}

func (r *rig) start() { r.startWith(r.Run) }

// keep begins to run, again and again.
func (r *rig) keep() {
	r.startWith(func(ctx context.Context) error { r.Keep(ctx); return nil })
}

func (r *rig) startWith(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	r.wait = sync.OnceValue(func() error { return <-ended })
	r.stop = func() error { cancel(); return r.wait() }
	r.t.Cleanup(func() { _ = r.stop() })
}

func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	testkit.Until(r.t, what, ok)
}

// send posts events with these sequences.
func (r *rig) send(sequences ...uint64) {
	r.t.Helper()
	for _, n := range sequences {
		r.post(fmt.Sprintf(`{"aggregateID":"1","aggregateType":"user","resourceOwner":"1","instanceID":"1","sequence":%d,"event_type":"user.locked","created_at":"2026-11-22T09:29:35Z"}`, n))
	}
}

func (r *rig) post(body string) {
	r.t.Helper()
	q, err := http.NewRequest(http.MethodPost, "http://"+r.Addr()+"/all", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Close = true
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set(webhook.SignatureHeader, actions.ComputeSignatureHeader(time.Now(), []byte(body), signingKey))
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, a.Body)
	a.Body.Close()
	if a.StatusCode != http.StatusOK {
		r.t.Fatalf("status %d\n%s", a.StatusCode, r.log)
	}
}

func (r *rig) next() events.Push {
	r.t.Helper()
	select {
	case p := <-r.pushes:
		p.Taken()
		return p
	case <-time.After(30 * time.Second):
		r.t.Fatalf("nothing is pushed\n%s", r.log)
		return events.Push{}
	}
}

// want takes pushes with these sequences.
func (r *rig) want(sequences ...uint64) (last events.Push) {
	r.t.Helper()
	var got []uint64
	for range sequences {
		last = r.next()
		got = append(got, last.Event.GetSequence())
	}
	if !slices.Equal(got, sequences) {
		r.t.Fatalf("pushed: %d, want %d", got, sequences)
	}
	return last
}

func (r *rig) wantNoMore() {
	r.t.Helper()
	select {
	case p := <-r.pushes:
		r.t.Fatalf("pushed too: %v", p)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestRun_WaitsForTheAddress(t *testing.T) {
	r := newRig(t, t.TempDir())
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.settings.Address = other.Addr().String()
	r.start()
	r.until("it is not told", func() bool { return strings.Contains(r.log.String(), "another process or instance has the address") })
	other.Close()
	r.until("no address", func() bool { return r.Addr() != "" })
	r.send(1)
	r.want(1)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// A url without TLS says nothing of who may send without.
func TestRun_APlainURLIsNoPlainEndpoint(t *testing.T) {
	r := newRig(t, t.TempDir(), func(s *config.Settings) { s.URL.Scheme, s.Listen.Address = "http", "0.0.0.0:0" })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Run(ctx); err == nil || !strings.Contains(err.Error(), "webhook_plain") {
		t.Error(err)
	}
}

func TestRun_WaitsForTheSpool(t *testing.T) {
	r := newRig(t, t.TempDir())
	other, err := spool.Open(r.settings.SpoolPath, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("it is not told", func() bool { return strings.Contains(r.log.String(), "another process or instance has the spool") })
	other.Close()
	r.until("no address", func() bool { return r.Addr() != "" })
	r.send(1)
	r.want(1)
}

// What was pushed and is not acknowledged is not pushed again by the same process, which has it.
func TestRun_AgainAfterTheServerFailed(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	var listener net.Listener
	r.listen = func(network, address string) (_ net.Listener, err error) {
		listener, err = net.Listen(network, address)
		return listener, err
	}
	r.run()
	r.send(1, 2, 3)
	one := r.want(1, 2)
	listener.Close()
	if err := r.wait(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("the server ended with %v", err)
	}
	r.run()
	r.send(4)
	two := r.want(3, 4)
	r.wantNoMore()
	one.Done()
	r.until("not taken out", func() bool { return r.Spooled() == 2 })
	two.Done()
	r.until("not taken out", func() bool { return r.Spooled() == 0 })
	r.send(5, 6)
	r.want(5, 6)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	// The next process has them not.
	r = newRig(t, dir)
	r.run()
	r.want(5, 6)
	r.wantNoMore()
}

// Another directory in the place of a damaged one counts from one again.
func TestRun_AgainWithAnotherSpool(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.run()
	r.send(1, 2, 3)
	old := r.want(1, 2, 3)
	if err := errors.Join(r.stop(), os.Rename(r.settings.SpoolPath, r.settings.SpoolPath+".old")); err != nil {
		t.Fatal(err)
	}
	r.run()
	r.send(4)
	p := r.want(4)
	old.Done()
	if n := r.Spooled(); n != 1 {
		t.Errorf("%d in the spool", n)
	}
	p.Done()
	r.until("not taken out", func() bool { return r.Spooled() == 0 })
}

// What a reader took and did not acknowledge is the next one's, and nothing else.
func TestAttach_NextReaderGetsWhatWasNotAcknowledged(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.run()
	r.send(1, 2, 3, 4)
	one := r.want(1, 2)
	one.Done()
	three := r.want(3)
	r.detach()
	r.send(5) // while nobody reads
	r.pushes, r.detach = r.Attach()
	r.want(3, 4, 5)
	r.wantNoMore()
	three.Done() // late
	r.detach()
	r.pushes, r.detach = r.Attach()
	r.want(4, 5).Done()
	r.until("not taken out", func() bool { return r.Spooled() == 0 })
}

// Nothing is lost and nothing comes again while readers come and go and webhooks arrive.
func TestAttach_ReadersComeAndGoWhileWebhooksCome(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.run()
	const n = 200
	seen, read := map[uint64]int{}, make(chan struct{})
	go func() {
		defer close(read)
		for taken := 0; len(seen) < n; taken++ {
			if taken%7 == 0 {
				r.detach()
				r.pushes, r.detach = r.Attach()
			}
			select {
			case p := <-r.pushes:
				p.Taken()
				p.Done()
				seen[p.Event.GetSequence()]++
			case <-t.Context().Done():
				return
			}
		}
	}()
	for i := range n {
		r.send(uint64(i + 1))
	}
	<-read
	for sequence, times := range seen {
		if times != 1 {
			t.Errorf("%d was pushed %d times, although it was acknowledged", sequence, times)
		}
	}
	r.until("not taken out", func() bool { return r.Spooled() == 0 })
}

// Done is of this one and all before it, in whatever order it is called.
func TestAcknowledge_Order(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	r.run()
	r.send(1, 2, 3, 4)
	one, three := r.want(1), r.want(2, 3)
	r.want(4)
	three.Done()
	one.Done()
	r.until("not taken out", func() bool { return r.Spooled() == 1 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	one.Done() // after the end
	r = newRig(t, dir)
	r.run()
	r.want(4)
}

// An entry that cannot be read, or makes our code panic, is left out, and with every start again.
func TestPush_PoisonIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		r := newRig(t, dir)
		r.decode = func(entry []byte) (webhook.Message, error) {
			m, err := webhook.Decode(entry)
			if e, ok := m.(*webhook.Event); ok && e.Event.GetSequence() == 2 {
				panic("s3cr3t")
			}
			return m, err
		}
		r.run()
		if r.Spooled() == 0 {
			r.send(1, 2)
			if err := r.Append(t.Context(), []byte("s3cr3t")); err != nil {
				t.Fatal(err)
			}
			r.send(3)
		}
		r.want(1)
		for range 2 {
			if p := r.next(); p.Event != nil || p.Record != nil {
				t.Errorf("pushed: %v", p)
			}
		}
		r.want(3)
		if n := r.LeftOut(); n != 2 {
			t.Errorf("%d left out, want 2", n)
		}
		if s := r.log.String(); !strings.Contains(s, "left out") || strings.Contains(s, "s3cr3t") {
			t.Errorf("log:\n%s", s)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

// A panic of a task ends Run, not the process.
func TestRun_APanicIsAnError(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.listen = func(string, string) (net.Listener, error) { return broken{}, nil }
	err := r.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "panic") || strings.Contains(err.Error()+r.log.String(), "s3cr3t") {
		t.Errorf("%v\n%s", err, r.log)
	}
}

type broken struct{ net.Listener }

func (broken) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (broken) Accept() (net.Conn, error) { panic("s3cr3t") }
func (broken) Close() error              { return nil }

// However many large calls wait, what is decoded of them ahead is bounded by bytes.
func TestFeed_BytesAheadAreBounded(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.run()
	body := strings.Repeat("x", 300<<10)
	for i := range 10 {
		r.post(fmt.Sprintf(`{"fullMethod":"/x/Y","request":{"a":"%d","text":"%s"}}`, i, body))
	}
	for taken := range 10 {
		most := min(3, 10-taken) // of 300 KiB in a MiB
		r.until("the queue is not full", func() bool { return len(r.pushes) == most })
		if most == 3 && r.reader.Load().ahead.TryAcquire(int64(len(body))) {
			t.Fatal("there is room for a fourth")
		}
		if p := r.next(); p.Size < len(body) {
			t.Fatalf("size %d", p.Size)
		}
	}
	for i := range queueAhead {
		r.send(uint64(i + 1))
	}
	r.until("small ones are too few", func() bool { return len(r.pushes) == queueAhead })
}
