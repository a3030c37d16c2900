package input

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func TestRun_WrongTokenHealsWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tries []time.Duration
		mended := false
		l := eventLog{total: 10, batch: 10}
		r := start(t, func(s cursor.State) (Puller, error) {
			tries = append(tries, time.Since(began))
			if mended {
				return l.from(s)
			}
			return pull(func(context.Context, events.Emit) error { return errors.New("token is wrong: mend it") }), nil
		}, &memory{})
		defer r.stop()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 1, 3, 7, 12, 17}
		if len(tries) != len(want) {
			t.Fatalf("tries at %v", tries)
		}
		for i := range want {
			if tries[i] != want[i]*time.Minute {
				t.Errorf("try %d at %v, want %v", i, tries[i], want[i]*time.Minute)
			}
		}
		if n := strings.Count(r.log.String(), "token is wrong: mend it"); n != len(want) {
			t.Errorf("logged %d times for %d tries:\n%s", n, len(want), r.log)
		}
		mended = true
		h := &host{}
		r.drain(h, 300)
		wantSequences(t, h.taken, l.total)
	})
}

func TestRun_ReadingThatWorkedInBetweenStartsAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 20, batch: 1}
		r := start(t, func(s cursor.State) (Puller, error) {
			return pull(func(ctx context.Context, emit events.Emit) error {
				next := events.Batch{Records: []record.Record{l.record(s.Events + 1)}, State: cursor.State{Events: s.Events + 1}}
				if err := emit(ctx, next); err != nil {
					return err
				}
				return errors.New("broken after one event")
			}), nil
		}, &memory{})
		defer r.stop()
		h := &host{}
		r.drain(h, 10*60)
		wantSequences(t, h.taken, 10)
	})
}

// Wherever our code panics, the host goes on, and so does reading: each event
// comes out once.
func TestLaw10_NoPanicReachesTheHost(t *testing.T) {
	l := eventLog{total: 30, batch: 10}
	once := func() func(bool) {
		done := false
		return func(now bool) {
			if now && !done {
				done = true
				var m map[string]int
				m["the token is s3cr3t"] = 1
			}
		}
	}
	for name, setup := range map[string]func(*Options, *memory){
		"reader": func(o *Options, _ *memory) {
			boom, n := once(), 0
			o.NewPuller = func(s cursor.State) (Puller, error) {
				inner, _ := l.from(s)
				return pull(func(ctx context.Context, emit events.Emit) error {
					return inner.Run(ctx, func(ctx context.Context, b events.Batch) error {
						n++
						boom(n == 2)
						return emit(ctx, b)
					})
				}), nil
			}
		},
		"making a reader": func(o *Options, _ *memory) {
			boom := once()
			o.NewPuller = func(s cursor.State) (Puller, error) { boom(true); return l.from(s) }
		},
		"writing the state": func(_ *Options, m *memory) {
			boom := once()
			m.prepareBy = func(s cursor.State) error { boom(true); return nil }
		},
		"redaction": func(o *Options, _ *memory) {
			boom := once()
			o.Redact = func(r *record.Record) { boom(r.Sequence == 15) }
		},
		"encoding": func(o *Options, _ *memory) {
			boom := once()
			o.Encode = func(b []byte, r *record.Record) []byte {
				b = append(b, "half an event"...)
				boom(r.Sequence == 15)
				return encodeLine(b[:len(b)-len("half an event")], r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				r := start(t, l.from, m, func(o *Options) { setup(o, m) })
				defer r.stop()
				h := &host{}
				r.drain(h, 70)
				wantSequences(t, h.taken, l.total)
				if n := r.Stats.Panics.Load(); n != 1 {
					t.Errorf("%d panics counted, want 1", n)
				}
				if s := r.log.String(); !strings.Contains(s, "panic") || strings.Contains(s, "s3cr3t") {
					t.Errorf("log:\n%s", s)
				}
			})
		})
	}
}

// An event that can never be redacted comes out without what was not redacted;
// one that can never be encoded is counted and told by its id.
func TestEncode_DamagedEventsAreMarkedOrTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 5, batch: 5}
		r := start(t, l.from, &memory{}, func(o *Options) {
			o.Redact = func(r *record.Record) {
				if r.Sequence == 2 && r.Payload.GetFields()["zitadel_siem_error"] == nil {
					panic("odd payload")
				}
			}
			o.Encode = func(b []byte, r *record.Record) []byte {
				if r.Sequence == 4 {
					panic("never")
				}
				return encodeLine(b, r)
			}
		})
		defer r.stop()
		h := &host{}
		r.drain(h, 1)
		if len(h.taken) != 4 {
			t.Errorf("came out: %d", h.taken)
		}
		if r.cursor.events() != 5 {
			t.Error("one event stopped the ones after it")
		}
		if n := r.Stats.Damaged.Load(); n != 2 {
			t.Errorf("%d counted as damaged, want 2", n)
		}
		if !strings.Contains(r.log.String(), "i/user/1/4") || !strings.Contains(r.log.String(), "missing") {
			t.Errorf("log:\n%s", r.log)
		}
	})
}

// pushed is a record of another kind; a negative one cannot be encoded.
type pushed int

func (o pushed) Type() string                  { return "api.request" }
func (o pushed) AppendMsgpack(b []byte) []byte { return o.AppendJSON(b) }
func (o pushed) AppendJSON(b []byte) []byte {
	if o < 0 {
		panic("s3cr3t")
	}
	return fmt.Appendf(b, "%d \n", int(o))
}

// Who sent a push has its answer: one that cannot be encoded takes no other along.
func TestEncode_APushThatCannotBeIsLeftOutAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := false
		from := func(cursor.State) (Puller, error) {
			return pull(func(ctx context.Context, emit events.Emit) error {
				if err := emit(ctx, events.Batch{Others: []events.Other{pushed(1), pushed(-1), pushed(2)}, Done: func() { done = true }}); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			}), nil
		}
		r := start(t, from, &memory{}, func(o *Options) {
			o.EncodeOther = func(b []byte, other events.Other) []byte { return other.AppendJSON(append(b, "half"...)[:len(b)]) }
		})
		defer r.stop()
		h := &host{}
		r.drain(h, 1)
		if !slices.Equal(h.taken, []uint64{1, 2}) || !done {
			t.Errorf("came out: %d, acknowledged %v", h.taken, done)
		}
		if n := r.Stats.Damaged.Load(); n != 1 {
			t.Errorf("%d counted as damaged, want 1", n)
		}
		if s := r.log.String(); !strings.Contains(s, "missing") || strings.Contains(s, "s3cr3t") {
			t.Errorf("log:\n%s", s)
		}
	})
}
