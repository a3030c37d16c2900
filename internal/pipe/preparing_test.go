package pipe

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// A pipe whose task of preparing comes and goes, under random pauses, errors and panics of the source
// and of its states: everything comes out once and in order, and with EndOnError Run ends.
func TestLaw2_TheTaskThatPreparesComesAndGoes(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rnd, source := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			writer := rand.New(rand.NewPCG(seed, 3))
			ends := seed%3 == 0
			l := eventLog{total: 40}
			m := &memory{}
			m.prepareBy = func(uint64) error {
				time.Sleep(time.Duration(writer.IntN(3)) * time.Second)
				switch writer.IntN(20) {
				case 0:
					return errDisk
				case 1:
					panic("no")
				}
				return nil
			}
			p := New(Options{Encode: encodeLine, BufferSize: 5000, Log: slog.New(slog.DiscardHandler), EndOnError: ends})
			last := uint64(0)
			failed := make(chan error, 1)
			go func() {
				failed <- p.Run(t.Context(), func(ctx context.Context, emit Emit) error {
					for last < l.total {
						time.Sleep(time.Duration(source.IntN(2500)) * time.Millisecond)
						if !ends && source.IntN(10) == 0 {
							return errors.New("source")
						}
						if err := emit(ctx, Batch{Records: []record.Record{l.record(last + 1)}, State: stateOf{m, last + 1}}); err != nil {
							return err
						}
						last++
					}
					return nil
				})
			}()
			h := &host{}
			for {
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				err := p.Await(ctx)
				cancel()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("seed %d: stands still after %d events, %v", seed, len(h.taken), err)
				}
				time.Sleep(time.Duration(rnd.IntN(2000)) * time.Millisecond)
				p.Drain(h.add)
			}
			err := <-failed
			if err == nil {
				wantSequences(t, h.taken, l.total)
			} else if !ends {
				t.Errorf("seed %d: %v", seed, err)
			} else {
				wantSequences(t, h.taken, uint64(len(h.taken)))
			}
			if m.events() != uint64(len(h.taken)) {
				t.Errorf("seed %d: cursor at %d, %d taken, %v", seed, m.events(), len(h.taken), err)
			}
		})
	}
}
