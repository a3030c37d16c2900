package pipe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func TestRun_WrongTokenHealsWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tries []time.Duration
		var fixed atomic.Bool
		l := eventLog{total: 10, batch: 10}
		r := start(t, func(from uint64) Read {
			if fixed.Load() {
				return l.from(from)
			}
			tries = append(tries, time.Since(began))
			return func(context.Context, Emit) error { return errors.New("token is wrong: fix it") }
		}, &memory{})
		defer r.stop()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		for i, minutes := range []int{1, 2, 4, 5, 5} {
			most := time.Duration(minutes) * time.Minute
			wait := tries[i+1] - tries[i]
			if wait < most/2 || wait > most {
				t.Errorf("wait %d is %v, want half to all of %v", i+1, wait, most)
			}
		}
		if n := strings.Count(r.log.String(), "token is wrong: fix it"); n != len(tries) {
			t.Errorf("logged %d times for %d tries:\n%s", n, len(tries), r.log)
		}
		fixed.Store(true)
		h := &host{}
		r.drain(h, 300)
		wantSequences(t, h.taken, l.total)
	})
}

func TestRun_ReadingThatWorkedInBetweenStartsAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{}
		r := start(t, func(from uint64) Read {
			return func(ctx context.Context, emit Emit) error {
				next := Batch{Records: []record.Record{l.record(from + 1)}, State: count(from + 1)}
				if err := emit(ctx, next); err != nil {
					return err
				}
				return errors.New("broken after one event")
			}
		}, &memory{})
		defer r.stop()
		h := &host{}
		r.drain(h, 10*60)
		wantSequences(t, h.taken, uint64(len(h.taken)))
		if n := len(h.taken); n < 10 || n > 21 {
			t.Errorf("%d events in 10 minutes, want one each half to whole minute", n)
		}
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
				m["the token is s3cr3t"] = 1 //nolint:staticcheck // it is to panic
			}
		}
	}
	for name, setup := range map[string]func(*Options, *memory) func(uint64) Read{
		"source": func(*Options, *memory) func(uint64) Read {
			boom, n := once(), 0
			return func(from uint64) Read {
				return func(ctx context.Context, emit Emit) error {
					return l.from(from)(ctx, func(ctx context.Context, b Batch) error {
						n++
						boom(n == 2)
						return emit(ctx, b)
					})
				}
			}
		},
		"making a source": func(*Options, *memory) func(uint64) Read {
			boom := once()
			return func(from uint64) Read { boom(true); return l.from(from) }
		},
		"writing the state": func(_ *Options, m *memory) func(uint64) Read {
			boom := once()
			m.prepareBy = func(uint64) error { boom(true); return nil }
			return l.from
		},
		"the tag": func(o *Options, _ *memory) func(uint64) Read {
			boom := once()
			o.Tag = func(r record.Record) string { boom(strings.HasSuffix(r.ID(), "/15")); return "" }
			return l.from
		},
		"encoding": func(o *Options, _ *memory) func(uint64) Read {
			boom := once()
			o.Encode = func(b []byte, r record.Record) []byte {
				b = append(b, "half an event"...)
				boom(r.(*record.Event).Sequence == 15)
				return encodeLine(b[:len(b)-len("half an event")], r)
			}
			return l.from
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				from := l.from
				r := start(t, func(n uint64) Read { return from(n) }, m, func(o *Options) { from = setup(o, m) })
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
			o.Encode = func(b []byte, r record.Record) []byte {
				switch e := r.(*record.Event); {
				case e.Sequence == 2 && e.Payload.GetFields()["zitadel_siem_error"] == nil:
					panic("odd payload")
				case e.Sequence == 4:
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

// pushed is a record without a payload to drop; a negative one cannot be encoded.
type pushed int

func (o pushed) EventType() string    { return "api.request" }
func (o pushed) ID() string           { return fmt.Sprint("pushed/", int(o)) }
func (o pushed) Timestamp() time.Time { return time.Time{} }
func (o pushed) WriteFields(d *document.Doc) {
	if o < 0 {
		panic("s3cr3t")
	}
	d.Uint("pushed", uint64(o))
}

// Who sent a push has its answer: one that cannot be encoded takes no other along.
func TestEncode_APushThatCannotBeIsLeftOutAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := false
		r := start(t, func(uint64) Read {
			return func(ctx context.Context, emit Emit) error {
				if err := emit(ctx, Batch{Records: []record.Record{pushed(1), pushed(-1), pushed(2)}, Done: func() { done = true }}); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			}
		}, &memory{}, func(o *Options) {
			o.Encode = func(b []byte, r record.Record) []byte {
				n := len(b)
				b = record.AppendJSON(append(b, "half"...)[:n], r)
				return fmt.Appendf(b[:n], "%d \n", r)
			}
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

func TestRun_PreparesOnlyWhileSomethingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 3}
		more := make(chan struct{})
		r := start(t, func(from uint64) Read {
			return func(ctx context.Context, emit Emit) error {
				for n := from; n < l.total; n++ {
					<-more
					if err := emit(ctx, Batch{Records: []record.Record{l.record(n + 1)}, State: count(n + 1)}); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			}
		}, &memory{})
		defer r.stop()
		h := &host{}
		for n := range l.total {
			more <- struct{}{}
			r.drain(h, 2)
			wantSequences(t, h.taken, n+1)
			r.mu.Lock()
			preparing, prepared := r.preparing, r.prepared
			r.mu.Unlock()
			if preparing || prepared {
				t.Fatalf("after event %d: preparing %v, nothing more becomes ready %v", n+1, preparing, prepared)
			}
		}
		if got := r.cursor.events(); got != l.total {
			t.Errorf("cursor at %d, want %d", got, l.total)
		}
	})
}

// What is to be emitted at the end comes after all that reading emitted, also after a batch that
// waited for room, and does not wait for the next attempt to read.
func TestRunThen_EmitsTheRestAfterWhatWasRead(t *testing.T) {
	for name, broken := range map[string]bool{"while a batch waits for room": false, "in a pause after an error": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, m := eventLog{}, &memory{}
				p := New(Options{Encode: encodeLine, BufferSize: 1, Log: slog.New(slog.DiscardHandler)})
				next := uint64(0)
				one := func(ctx context.Context, emit Emit) error {
					next++
					return emit(ctx, Batch{Records: []record.Record{l.record(next)}, State: stateOf{m, next}})
				}
				reading, stopReading := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- p.RunThen(reading, t.Context(), func(ctx context.Context, emit Emit) error {
						for ctx.Err() == nil {
							if err := one(ctx, emit); err != nil {
								return err
							}
							if broken {
								return errors.New("token is wrong: fix it")
							}
						}
						return ctx.Err()
					}, func(ctx context.Context, emit Emit) error {
						for range 3 {
							if err := one(ctx, emit); err != nil {
								return err
							}
						}
						return nil
					})
				}()
				synctest.Wait()
				began := time.Now()
				stopReading()
				synctest.Wait()
				h := &host{}
				for errors.Is(p.Await(t.Context()), nil) {
					p.Drain(h.add)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				wantSequences(t, h.taken, next)
				if m.events() != next || next < 4 || time.Since(began) > 0 {
					t.Errorf("the state is at %d of %d, after %s", m.events(), next, time.Since(began))
				}
			})
		})
	}
}
