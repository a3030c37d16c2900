package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// fake is a sink that fails with the given errors, one after the other, and then
// takes everything.
type fake struct {
	errs     []error
	attempts int
	took     []string
}

func (f *fake) Send(ctx context.Context, tag string, records []byte, n int) error {
	f.attempts++
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return err
	}
	f.took = append(f.took, fmt.Sprintf("%s %d %s", tag, n, records))
	return ctx.Err()
}

func (f *fake) Close() error { return nil }

// buffer returns a Buffer whose records are their event types.
func buffer(to Sink, size int) (*Buffer, *testkit.Text) {
	log := &testkit.Text{}
	return &Buffer{Sink: to, Tag: "t", Size: size, Log: slog.New(slog.NewTextHandler(log, nil)),
		Encode: func(b []byte, r record.Record) []byte { return append(b, r.EventType()...) }}, log
}

func add(b *Buffer, types ...string) {
	for _, typ := range types {
		b.Add(&record.Event{Type: typ})
	}
}

func TestBuffer_MessagesHaveAboutTheSize(t *testing.T) {
	f := &fake{}
	b, _ := buffer(f, 4)
	for range 2 { // it is used again
		add(b, "aa", "bb", "c", "larger than the size", "d", "e")
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"t 2 aabb", "t 1 c", "t 1 larger than the size", "t 2 de"}
	if want = append(want, want...); !slices.Equal(f.took, want) {
		t.Errorf("%q, want %q", f.took, want)
	}
}

// The receiver joins what has one tag.
func TestBuffer_NoTagGetsMoreThanTheLimit(t *testing.T) {
	f := &fake{}
	b, _ := buffer(f, 1000)
	b.Limit = chunks.Limit{Records: 2}
	for range 2 {
		add(b, "a", "b", "c")
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	held, all := map[string]int{}, ""
	for _, took := range f.took {
		part := strings.Fields(took)
		n, err := strconv.Atoi(part[1])
		if err != nil || !strings.HasPrefix(part[0], "t.") {
			t.Fatalf("%q", took)
		}
		held[part[0]] += n
		all += part[2]
	}
	if all != "abcabc" || len(held) != 4 {
		t.Errorf("%q with the tags %v", all, held)
	}
	for tag, n := range held {
		if n > 2 {
			t.Errorf("%s has %d", tag, n)
		}
	}
}

func TestBuffer_SendsUntilTheSinkHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{errs: slices.Repeat([]error{errors.New("refused")}, 30)}
		b, log := buffer(f, 100)
		add(b, "a")
		began := time.Now()
		if err := b.Flush(t.Context()); err != nil || len(f.took) != 1 {
			t.Errorf("%v, took %q", err, f.took)
		}
		if took := time.Since(began); took < 5*time.Minute || took > 15*time.Minute {
			t.Errorf("30 attempts in %v, want waits up to half a minute", took)
		}
		if s := log.String(); strings.Count(s, "refused") > 2 || !strings.Contains(s, "again in ") || !strings.Contains(s, "are taken again") {
			t.Errorf("log:\n%s", s)
		}
	})
}

// After Ctrl-C one attempt is made, or the one under way is the last.
func TestBuffer_OneAttemptAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		f := &fake{}
		b, _ := buffer(f, 100)
		add(b, "a")
		if err := b.Flush(ended); err != nil || len(f.took) != 1 {
			t.Errorf("%v, took %q", err, f.took)
		}

		f = &fake{errs: slices.Repeat([]error{errors.New("refused")}, 30)}
		b, _ = buffer(f, 100)
		add(b, "a", "b")
		err := b.Flush(ended)
		if err == nil || err.Error() != "at least 2 records were read and not acknowledged: refused" || f.attempts != 1 {
			t.Errorf("%v after %d attempts", err, f.attempts)
		}
	})
}

func TestBuffer_AFinalErrorIsNotRetried(t *testing.T) {
	gone := errors.New("gone")
	f := &fake{errs: []error{&FinalError{gone}}}
	b, log := buffer(f, 100)
	add(b, "a")
	if err := b.Flush(t.Context()); !errors.Is(err, gone) || !IsFinal(err) || f.attempts != 1 || log.String() != "" {
		t.Errorf("%v after %d attempts, log %q", err, f.attempts, log)
	}
}

func TestOutlive_EndsFiveSecondsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sending, stop := Outlive(ctx)
		defer stop()
		cancel()
		began := time.Now()
		<-sending.Done()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestOpen_LinesWithoutForward(t *testing.T) {
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	lines := &Lines{File: file, Durable: true}
	to, encode, err := Open(config.OutputSettings{}, format.Raw(), lines)
	if err != nil || to != Sink(lines) {
		t.Fatal(to, err)
	}
	line := encode(nil, &record.Event{Type: "user.added"})
	if err := to.Send(t.Context(), "", line, 1); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(file.Name()); string(b) != string(line) || !strings.HasSuffix(string(b), "}\n") {
		t.Errorf("%q", b)
	}
	file.Close()
	if err := to.Send(t.Context(), "", line, 1); !IsFinal(err) || !strings.Contains(err.Error(), "standard output: ") {
		t.Error(err)
	}
}
