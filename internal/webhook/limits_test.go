package webhook_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// wire is a request as bytes.
func (w *world) wire(tb testing.TB, target, body string) []byte {
	tb.Helper()
	r := w.signed(target, body)
	var b bytes.Buffer
	r.Host = "localhost"
	if err := r.Write(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// answer reads one answer, and says whether the connection stays open.
func answer(tb testing.TB, c net.Conn) (status int, open bool) {
	tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode, !r.Close
}

// Who sends slowly is cut off: in the headers by net/http, which says nothing or 400, in the body with 408. A thousand of
// them do not keep a real request out for longer than that.
func TestSlow(t *testing.T) {
	w := newWorld(t, func(o *webhook.Options) { o.MaxConns = 200 })
	w.SetTimes(200*time.Millisecond, 600*time.Millisecond, time.Hour)
	addr := w.serve(t)
	raw := w.wire(t, "t", event)
	for _, part := range []string{"", "POST /t HT", "POST /t HTTP/1.1\r\nHost: x\r\nContent-Le"} {
		c := dial(t, addr)
		fmt.Fprint(c, part)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if b, err := io.ReadAll(c); err != nil || len(b) > 0 && !bytes.HasPrefix(b, []byte("HTTP/1.1 400")) {
			t.Errorf("%q: answered %q, %v", part, b, err)
		}
	}
	c := dial(t, addr)
	_, _ = c.Write(raw[:len(raw)-1])
	if status, open := answer(t, c); status != http.StatusRequestTimeout || open {
		t.Errorf("a slow body: status %d, open %v", status, open)
	}
	for i := range 1000 {
		fmt.Fprint(dial(t, addr), "POST /t HTTP/1.1\r\nX-a: b\r\n"[:10+i%10])
	}
	c = dial(t, addr)
	_, _ = c.Write(raw)
	if status, _ := answer(t, c); status != http.StatusOK {
		t.Errorf("behind a thousand slow ones: status %d", status)
	}
	if w.Stats.Refused(webhook.TooSlow) != 1 {
		t.Errorf("%d slow", w.Stats.Refused(webhook.TooSlow))
	}
}

// A thousand connections at once, each with a request of its own, all get their answer.
func TestConnections_AThousandAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	addr := w.serve(t)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range 1000 {
		raw := w.wire(t, "t", strings.Replace(event, `"sequence":4`, fmt.Sprint(`"sequence":`, i+1), 1))
		c := dial(t, addr)
		all.Go(func() {
			<-start
			if _, err := c.Write(raw); err != nil {
				t.Error(err)
			}
			if status, _ := answer(t, c); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			c.Close() // the next one gets its place
		})
	}
	close(start)
	all.Wait()
	if n := len(w.spool.messages(t)); n != 1000 {
		t.Errorf("%d messages", n)
	}
}

// What is too large is refused before it is read, also when it says nothing of its length; large
// headers are; bodies share a bounded memory.
func TestOversize(t *testing.T) {
	w := newWorld(t, nil)
	addr := w.serve(t)
	send := func(what string, want int, parts ...string) {
		t.Helper()
		c := dial(t, addr)
		for _, p := range parts {
			if _, err := c.Write([]byte(p)); err != nil {
				break // refused meanwhile
			}
		}
		if status, open := answer(t, c); status != want || open {
			t.Errorf("%s: status %d, open %v", what, status, open)
		}
	}
	head := strings.SplitAfter(string(w.wire(t, "t", event)), "\r\n")
	signature := ""
	for _, h := range head {
		if strings.HasPrefix(h, "Zitadel-Signature") {
			signature = h
		}
	}
	base := "POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + signature
	send("announced", 413, base, "Content-Length: 99999999999\r\n\r\n")
	send("more than a number", 400, base, "Content-Length: 99999999999999999999\r\n\r\n")
	send("two lengths", 400, base, "Content-Length: 1\r\nContent-Length: 2\r\n\r\n")
	send("large headers", 431, base, "X: ", strings.Repeat("x", 20<<10), "\r\n\r\n")
	send("not announced", 413, append([]string{base, "Transfer-Encoding: chunked\r\n\r\n"}, chunks(webhook.MaxBody/4096+2)...)...)
	send("bad chunks", 400, base, "Transfer-Encoding: chunked\r\n\r\nzz\r\n")
	send("no HTTP", 400, "\x16\x03\x01\x00\r\n\r\n")
	send("no signature", 401, "POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
	send("asks first", 401, "POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")

	large := strings.Replace(event, `"event_type"`, `"event_payload":{"a":"`+strings.Repeat("x", 900_000)+`"},"event_type"`, 1)
	w.want(t, "large", w.signed("t", large), 200, 0)
	w.SetBudget(100_000)
	w.want(t, "no room", w.signed("t", large+" "), 503, webhook.Overloaded)
	w.want(t, "small", w.signed("t", event), 200, 0)
	if n := w.BudgetUsed(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
	if w.log.String() != "" {
		t.Error(w.log)
	}
}

func chunks(n int) (parts []string) {
	for range n {
		parts = append(parts, "1000\r\n"+strings.Repeat(" ", 4096)+"\r\n")
	}
	return parts
}

// A good sender keeps its connection, a refused one does not.
func TestConnections_Stay(t *testing.T) {
	w := newWorld(t, nil)
	c := dial(t, w.serve(t))
	for range 3 {
		_, _ = c.Write(w.wire(t, "t", event))
		if status, open := answer(t, c); status != 200 || !open {
			t.Fatal(status, open)
		}
	}
	_, _ = c.Write(w.wire(t, "nobody", event))
	if status, open := answer(t, c); status != 401 || open {
		t.Fatal(status, open)
	}
}

// Refusals are told by count, without a word of the strangers'.
func TestRefusals_AreTold(t *testing.T) {
	w := newWorld(t, nil)
	w.SetTimes(time.Second, time.Second, 20*time.Millisecond)
	addr := w.serve(t)
	marker := "S3cretMarker"
	for range 3 {
		c := dial(t, addr)
		fmt.Fprintf(c, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-%s: %s\r\nZitadel-Signature: %s\r\nContent-Length: 0\r\n\r\n", marker, marker, marker, marker, marker)
		if status, _ := answer(t, c); status != 401 {
			t.Error(status)
		}
	}
	testkit.Until(t, "nothing is told", func() bool { return strings.Contains(w.log.String(), "bad_header=") })
	if strings.Contains(w.log.String(), marker) {
		t.Error(w.log)
	}
}

// Plain HTTP is for loopback, or for who asks for it.
func TestServe_PlainOnlyWhenAsked(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t, func(o *webhook.Options) { o.Plain = plain })
		l, err := net.Listen("tcp", "0.0.0.0:0")
		if err != nil {
			t.Skip("nothing can listen on all addresses here: ", err)
		}
		ended := make(chan error, 1)
		go func() { ended <- w.Serve(l) }()
		if plain {
			c := dial(t, l.Addr().String())
			_, _ = c.Write(w.wire(t, "t", event))
			if status, _ := answer(t, c); status != 200 {
				t.Error(status)
			}
			w.Close()
		}
		if err := <-ended; (err == nil) != plain {
			t.Errorf("plain %v: %v", plain, err)
		}
	}
	w := newWorld(t, nil)
	w.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Serve(l); err != nil {
		t.Error(err)
	}
}

// HTTPS, with a certificate that changes while it runs, and one that cannot be used.
func TestServe_CertificateChanges(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first := selfSigned(t, certFile, keyFile)
	w := newWorld(t, func(o *webhook.Options) { o.CertFile, o.CertKeyFile, o.Now = certFile, keyFile, nil })
	addr := w.serve(t)
	serial := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // it is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != first.SerialNumber.String() {
		t.Error("not the first one")
	}
	probe, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	if err := probe.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(probe); err != nil || w.Stats.Connections() != 0 {
		t.Errorf("the probe of a load balancer counts as refused: %d, %v", w.Stats.Connections(), err)
	}
	writeFile(t, certFile, "half a file")
	second := (*x509.Certificate)(nil)
	testkit.Until(t, "the damage is not told", func() bool {
		return serial() == first.SerialNumber.String() && strings.Contains(w.log.String(), "cert_file")
	})
	second = selfSigned(t, certFile, keyFile)
	testkit.Until(t, "the second one never comes", func() bool { return serial() == second.SerialNumber.String() })

	if _, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1")
	}
	if a, err := http.Get("http://" + addr); err == nil {
		a.Body.Close()
	} else if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if w.Stats.Connections() == 0 {
		t.Error("a failed handshake is not counted")
	}
}

// The end waits for what is authenticated, and for no stranger.
func TestServe_AtItsEndOnlyTheAuthenticatedAreWaitedFor(t *testing.T) {
	w := newWorld(t, nil)
	w.spool.hold = make(chan struct{})
	addr := w.serve(t)
	good := dial(t, addr)
	_, _ = good.Write(w.wire(t, "t", event))
	other := w.wire(t, "t", event+" ")
	for _, part := range [][]byte{nil, other[:20], other[:len(other)-1]} {
		_, _ = dial(t, addr).Write(part)
	}
	testkit.Until(t, "the good one does not wait", func() bool { return w.spool.waiting.Load() == 1 })
	ended := make(chan struct{})
	began := time.Now()
	go func() { w.Close(); close(ended) }()
	testkit.Until(t, "it still listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(w.spool.hold)
	if status, open := answer(t, good); status != http.StatusOK || open {
		t.Errorf("status %d, open %v", status, open)
	}
	<-ended
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the end took %s", took)
	}
}

// ZITADEL sends a request once: one whose body is on its way at the end is answered.
func TestServe_AtItsEndARequestUnderWayIsAnswered(t *testing.T) {
	w := newWorld(t, nil)
	w.SetArrivalTimeout(time.Minute) // for a machine that is busy; closeTimeout bounds it
	addr := w.serve(t)
	c := dial(t, addr)
	raw := w.wire(t, "t", event+strings.Repeat(" ", 500<<10))
	_, _ = c.Write(raw[:len(raw)-5])
	testkit.Until(t, "it has not begun", func() bool { return w.BudgetUsed() > 0 })
	ended := make(chan struct{})
	go func() { w.Close(); close(ended) }()
	testkit.Until(t, "it still listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	_, _ = c.Write(raw[len(raw)-5:])
	if status, open := answer(t, c); status != http.StatusOK || open {
		t.Errorf("status %d, open %v", status, open)
	}
	<-ended
}

// A server that failed is followed by another one, with the counters and the memory of the same endpoint.
func TestServe_Again(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- w.Serve(l) }()
		c := dial(t, l.Addr().String())
		_, _ = c.Write(w.wire(t, "t", event))
		if status, _ := answer(t, c); status != http.StatusOK {
			t.Fatalf("server %d: status %d", i+1, status)
		}
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("server %d: %v", i+1, err)
		}
	}
	if w.Stats.Accepted.Load() != 1 || w.Stats.Repeated.Load() != 1 {
		t.Errorf("%d accepted, %d repeated", w.Stats.Accepted.Load(), w.Stats.Repeated.Load())
	}
}

// hold opens connections that announce the largest body, send most of it, and wait for release.
func hold(tb testing.TB, w *world, addr string, conns int) (release func()) {
	tb.Helper()
	large := strings.Repeat(" ", webhook.MaxBody)
	raw := w.wire(tb, "t", large)
	raw = raw[:len(raw)-1000]
	var sent sync.WaitGroup
	var held []net.Conn
	for range conns {
		c := dial(tb, addr)
		held = append(held, c)
		sent.Go(func() { _, _ = c.Write(raw) }) // or it is refused meanwhile
	}
	sent.Wait()
	return func() {
		for _, c := range held {
			c.Close()
		}
	}
}

// However many send large bodies and never end them, their memory is bounded, and is given back.
func TestMemory_IsBounded(t *testing.T) {
	w := newWorld(t, nil)
	const budget = 4 << 20
	w.SetBudget(budget)
	addr := w.serve(t)
	release := hold(t, w, addr, 40)
	testkit.Until(t, "most are refused", func() bool { return w.Stats.Refused(webhook.Overloaded) >= 30 })
	if n := w.BudgetUsed(); n > budget {
		t.Errorf("%d bytes in use, %d refused", n, w.Stats.Refused(webhook.Overloaded))
	}
	c := dial(t, addr)
	_, _ = c.Write(w.wire(t, "t", event))
	if status, _ := answer(t, c); status != http.StatusOK {
		t.Errorf("a small one beside them: status %d", status)
	}
	release()
	testkit.Until(t, "the bytes are not given back", func() bool { return w.BudgetUsed() == 0 })
}
