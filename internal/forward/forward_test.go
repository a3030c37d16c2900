package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records encodes n records that count from first.
func records(first, n int) (b []byte) {
	for i := range n {
		b = document.AppendEventHead(b, time.Unix(1_700_000_000, 5))
		b = msgp.AppendMapHeader(b, 1)
		b = msgp.AppendString(b, "n")
		b = msgp.AppendInt(b, first+i)
	}
	return b
}

func sender(t testing.TB, srv *forwardtest.Server, change func(*config.OutputSettings)) *Sender {
	t.Helper()
	o := config.OutputSettings{Forward: srv.Forward(), SelfHostname: "client", AckTimeout: patience}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// patience is far more than an ack that comes takes on a busy machine.
const patience = time.Minute

// quick is for an ack that does not come.
func quick(o *config.OutputSettings) { o.AckTimeout = 200 * time.Millisecond }

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range append(parts, "forward to ") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%q holds the shared key", err)
	}
}

func TestSend_MessagesArriveAsTheyWere(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{})
	s := sender(t, srv, nil)
	for i := range 3 {
		if err := s.Send(t.Context(), "a.tag", records(i*10, 10), 10); err != nil {
			t.Fatal(err)
		}
	}
	got := srv.Messages()
	if len(got) != 3 || got[0].Tag != "a.tag" || got[0].Size != 10 || got[0].Chunk == got[1].Chunk {
		t.Fatalf("got %+v", got)
	}
	for i, r := range srv.Records() {
		if r.Body["n"] != int64(i) || !r.Time.Equal(time.Unix(1_700_000_000, 5)) {
			t.Fatalf("record %d is %+v", i, r)
		}
	}
	if srv.Accepted() != 1 {
		t.Errorf("%d connections for messages one after the other", srv.Accepted())
	}
}

func TestSend_UnixSocket(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{Network: "unix", Address: filepath.Join(t.TempDir(), "s")})
	if err := sender(t, srv, nil).Send(t.Context(), "t", records(0, 1), 1); err != nil {
		t.Fatal(err)
	}
}

func TestSend_ManyAtOnceHaveConnectionsOfTheirOwn(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{})
	s := sender(t, srv, nil)
	var wg sync.WaitGroup
	for i := range 4 * maxConns {
		wg.Go(func() {
			if err := s.Send(t.Context(), "t", records(i*100, 100), 100); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(srv.Records()); n != 400*maxConns {
		t.Errorf("%d records", n)
	}
	if n := srv.Accepted(); n > maxConns {
		t.Errorf("%d connections", n)
	}
}

func TestSend_NothingButTheAckOfTheMessageIsSuccess(t *testing.T) {
	for answer, part := range map[forwardtest.Answer]string{
		forwardtest.Silence:  "no ack within 200ms: is its input paused, its disk full, or is it overloaded?",
		forwardtest.WrongAck: "acknowledges another message",
		forwardtest.Garbage:  "something else than the forward protocol: does `forward` lead",
		forwardtest.Flood:    "more than the forward protocol allows: does `forward` lead",
		forwardtest.Hangup:   "closed the connection instead of an ack",
		forwardtest.Cut:      "closed the connection instead of an ack",
	} {
		srv := forwardtest.Start(t, forwardtest.Options{Answer: func(n int) forwardtest.Answer {
			if n == 0 {
				return answer
			}
			return forwardtest.Ack
		}})
		s := sender(t, srv, quick)
		wantError(t, s.Send(t.Context(), "t", records(0, 100), 100), part, srv.Forward().Address)
		if answer == forwardtest.Cut {
			continue // it cuts for ever: the message was not counted
		}
		s.settings.AckTimeout = patience
		if err := s.Send(t.Context(), "t", records(1, 1), 1); err != nil {
			t.Errorf("after answer %d: %v", answer, err)
		}
		if n := len(srv.Records()); n != 1 {
			t.Errorf("answer %d: %d records", answer, n)
		}
	}
}

// A connection is kept for half a minute, however soon its last answer was due.
func TestSend_AnIdleConnectionOutlivesItsLastDeadline(t *testing.T) {
	ca := testkit.NewAuthority(t)
	for name, o := range map[string]forwardtest.Options{"tcp": {}, "tls": {TLS: ca.Config(t, "127.0.0.1")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := forwardtest.Start(t, o)
			s := sender(t, srv, func(o *config.OutputSettings) { o.AckTimeout, o.CAFile = time.Second, ca.File() })
			for i := range 2 {
				if err := s.Send(t.Context(), "t", records(i, 1), 1); err != nil {
					t.Fatal(err)
				}
				time.Sleep(s.settings.AckTimeout + 100*time.Millisecond) // the deadline passes: nothing shows it
			}
			if n := srv.Accepted(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestSend_AClosedIdleConnectionCostsNoMessage(t *testing.T) {
	ca := testkit.NewAuthority(t)
	for name, o := range map[string]forwardtest.Options{"tcp": {}, "tls": {TLS: ca.Config(t, "127.0.0.1")}} {
		t.Run(name, func(t *testing.T) {
			o.Answer = func(int) forwardtest.Answer { return forwardtest.AckHangup }
			srv := forwardtest.Start(t, o)
			s := sender(t, srv, func(o *config.OutputSettings) { o.CAFile = ca.File() })
			for i := range 3 {
				if err := s.Send(t.Context(), "t", records(i, 1), 1); err != nil {
					t.Fatal(err)
				}
				testkit.Until(t, "the server to hang up", func() bool { return srv.Open() == 0 })
			}
			if n := len(srv.Records()); n != 3 || srv.Accepted() != 3 {
				t.Errorf("%d records on %d connections", n, srv.Accepted())
			}
		})
	}
}

// A late ack belongs to no later message.
func TestSend_ALateAckIsNotTakenForAnother(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{Delay: 400 * time.Millisecond, Answer: func(n int) forwardtest.Answer {
		if n == 0 {
			return forwardtest.Late
		}
		return forwardtest.Ack
	}})
	s := sender(t, srv, quick)
	wantError(t, s.Send(t.Context(), "t", records(0, 1), 1), "no ack within")
	s.settings.AckTimeout = patience
	if err := s.Send(t.Context(), "t", records(1, 1), 1); err != nil {
		t.Fatal(err)
	}
}

func TestSend_TLS(t *testing.T) {
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	right := ca.Config(t, "127.0.0.1")
	srv := forwardtest.Start(t, forwardtest.Options{TLS: right})
	withCA := func(o *config.OutputSettings) { o.CAFile = ca.File() }

	if err := sender(t, srv, withCA).Send(t.Context(), "t", records(0, 1), 1); err != nil {
		t.Error(err)
	}
	wantError(t, sender(t, srv, nil).Send(t.Context(), "t", records(0, 1), 1), "unknown authority", "`ca_file`")
	wantError(t, sender(t, srv, func(o *config.OutputSettings) { o.CAFile = other.File() }).Send(t.Context(), "t", records(0, 1), 1), "unknown authority")

	misnamed := forwardtest.Start(t, forwardtest.Options{TLS: ca.Config(t, "siem.example.com")})
	wantError(t, sender(t, misnamed, withCA).Send(t.Context(), "t", records(0, 1), 1), "not for 127.0.0.1")

	clear := forwardtest.Start(t, forwardtest.Options{SharedKey: "x"}) // it speaks first
	wantError(t, sender(t, clear, func(o *config.OutputSettings) {
		o.CAFile, o.Forward.TLS = ca.File(), true
	}).Send(t.Context(), "t", records(0, 1), 1), "does not speak TLS")
	wantError(t, sender(t, srv, func(o *config.OutputSettings) { o.Forward.TLS = false }).Send(t.Context(), "t", records(0, 1), 1))
	if n := len(srv.Records()); n != 1 {
		t.Errorf("%d records arrived", n)
	}
}

func TestSend_ClientCertificate(t *testing.T) {
	ca := testkit.NewAuthority(t)
	server := ca.Config(t, "127.0.0.1")
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	srv := forwardtest.Start(t, forwardtest.Options{TLS: server})
	wantError(t, sender(t, srv, func(o *config.OutputSettings) { o.CAFile = ca.File() }).Send(t.Context(), "t", records(0, 1), 1), "`cert_file`")

	cert, key := ca.Issue(t, "client")
	s := sender(t, srv, func(o *config.OutputSettings) { o.CAFile, o.CertFile, o.CertKeyFile = ca.File(), cert, key })
	if err := s.Send(t.Context(), "t", records(0, 1), 1); err != nil {
		t.Error(err)
	}
}

func TestNew_SaysWhatIsWrongWithFiles(t *testing.T) {
	ca := testkit.NewAuthority(t)
	cert, _ := ca.Issue(t, "a")
	_, key := ca.Issue(t, "b")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for part, o := range map[string]config.OutputSettings{
		"ca_file":        {CAFile: "/nonexistent"},
		"no certificate": {CAFile: empty},
		"one pair":       {CertFile: cert, CertKeyFile: key},
	} {
		o.Forward.TLS = true
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

func TestSend_SharedKey(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{SharedKey: "s3cr3t-key"})
	with := func(key string) error {
		return sender(t, srv, func(o *config.OutputSettings) { quick(o); o.SharedKey = config.Secret(key) }).Send(t.Context(), "t", records(0, 1), 1)
	}
	if err := with("s3cr3t-key"); err != nil {
		t.Error(err)
	}
	wantError(t, with("s3cr3t-other"), "`shared_key`: set the same on both sides; or it wants a user name (`security.users`)")
	wantError(t, with(""), "asks for a shared key")

	open := forwardtest.Start(t, forwardtest.Options{})
	wantError(t, sender(t, open, func(o *config.OutputSettings) { quick(o); o.SharedKey = "s3cr3t-key" }).Send(t.Context(), "t", records(0, 1), 1),
		"no greeting within 200ms")
	if n := len(srv.Records()) + len(open.Records()); n != 1 {
		t.Errorf("%d records arrived", n)
	}
}

func TestSend_NobodyThere(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{})
	s := sender(t, srv, nil)
	srv.Close()
	wantError(t, s.Send(t.Context(), "t", records(0, 1), 1), "connection refused", srv.Forward().Address)

	s, err := New(config.OutputSettings{Forward: config.Forward{Network: "unix", Address: "/nonexistent/socket"}, AckTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantError(t, s.Send(t.Context(), "t", records(0, 1), 1), "no such socket")
}

func TestSend_EndsWithItsContextAndWithClose(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	s := sender(t, srv, func(o *config.OutputSettings) { o.AckTimeout = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	send := func(ctx context.Context) { result <- s.Send(ctx, "t", records(0, 1), 1) }

	go send(ctx)
	testkit.Until(t, "the message", func() bool { return srv.Began() == 1 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}

	go send(t.Context())
	testkit.Until(t, "the second message", func() bool { return srv.Began() == 2 })
	s.Close()
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Send(t.Context(), "t", records(0, 1), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestSend_AMessageLargerThanAnyBuffer(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{})
	if err := sender(t, srv, nil).Send(t.Context(), "t", records(0, 500_000), 500_000); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.Records()); n != 500_000 {
		t.Errorf("%d records", n)
	}
}

func BenchmarkSend(b *testing.B) {
	srv := forwardtest.Start(b, forwardtest.Options{Forget: true})
	s := sender(b, srv, nil)
	data := records(0, 50_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Send(b.Context(), "t", data, 50_000); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleSender() {
	s, err := New(config.OutputSettings{Forward: config.Forward{Network: "unix", Address: "/run/fluent-bit/forward.sock"}, AckTimeout: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	_ = s.Send(context.Background(), "zitadel", records(0, 2), 2)
}
