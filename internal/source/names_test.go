package source

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// A crash forgets nothing that a committed event taught: the files as they are after each
// commit hold the name of every event before it.
func TestLaw1_NamesAreDurableBeforeTheState(t *testing.T) {
	const users = 300
	store := zitadeltest.NewStore()
	began := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	for i := range users {
		payload, err := structpb.NewStruct(map[string]any{"userName": "name-" + strconv.Itoa(i)})
		if err != nil {
			t.Fatal(err)
		}
		store.Append(zitadeltest.Event{
			AggregateType: "user", AggregateID: strconv.Itoa(i), ResourceOwner: "org", Sequence: 1, Type: "user.human.added", Payload: payload,
			CreatedAt: began.Add(time.Duration(i) * time.Second),
		})
	}
	srv := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": srv.URL(), "token": srv.Token(), "instance": "lab", "state_path": path, "format": "ecs", "tier": "noise", "page_size": "10", "settle": "0s", "poll_interval": "100ms",
	}, config.ParseOptions{NeedState: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	commits, last := 0, uint64(0)
	testkit.Until(t, "every event", func() bool {
		s.Pipe.Drain(func(string, []byte, int) bool { return true })
		state, err := cursor.Read(path) // only Drain changes it
		if err != nil || state.Events == last {
			return false
		}
		last = state.Events
		commits++
		copied := filepath.Join(t.TempDir(), "names")
		b, err := os.ReadFile(path + namesSuffix)
		if err == nil {
			err = os.WriteFile(copied, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		names, err := enrich.Open(copied, enrich.Options{Instance: "lab"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(state.Events) {
			if u, _ := names.User(strconv.Itoa(i)); u.Name != "name-"+strconv.Itoa(i) {
				t.Errorf("%d events are committed, and the name of user %d is %q", state.Events, i, u.Name)
			}
		}
		if err := names.Close(); err != nil {
			t.Error(err)
		}
		return last >= users
	})
	cancel()
	if err := errors.Join(<-done, s.Close()); err != nil {
		t.Error(err)
	}
	if commits == 0 {
		t.Error("nothing was committed")
	}
	t.Logf("%d commits", commits)
}

// While names cannot be written, no state is: what comes after it would be forgotten.
func TestLaw1_NoStateWithoutNames(t *testing.T) {
	srv := zitadeltest.NewServer(zitadeltest.NewStore(), zitadeltest.Options{})
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": srv.URL(), "token": srv.Token(), "instance": "lab", "state_path": filepath.Join(t.TempDir(), "state"), "format": "ecs",
	}, config.ParseOptions{NeedState: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	// A store that was closed cannot be written.
	if err := s.names.Close(); err != nil {
		t.Fatal(err)
	}
	s.names.Learn(person("1", "ann"))
	if _, err := (state{s, cursor.State{Version: cursor.Version, Instance: "lab"}}).Prepare(); err == nil {
		t.Error("a state was prepared")
	}
	s.names = nil
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A file of another instance, and a damaged one, are errors that name the file.
func TestLaw5_ForeignNamesAreAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	other, err := enrich.Open(path+namesSuffix, enrich.Options{Instance: "other"})
	if err == nil {
		err = other.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": "http://127.0.0.1:1", "token": "token-of-a-test", "instance": "lab", "state_path": path, "format": "ecs",
	}, config.ParseOptions{NeedState: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler)})
	if _, ok := errors.AsType[*SettingsError](err); !ok || !errors.Is(err, enrich.ErrForeign) {
		t.Errorf("%v", err)
	}
	settings.Enrich.On = false // then nobody looks at it
	s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// learn reads what names were given before `start: now`, and only once; a crash while it
// reads begins again with the list that is not finished.
func TestLearn_ReadsThePastOnce(t *testing.T) {
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Now().Add(-time.Hour))...)
	srv := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "state")
	run := func(values ...string) (s *Source, learned uint64) {
		t.Helper()
		options := map[string]string{
			"url": srv.URL(), "token": srv.Token(), "instance": "lab", "state_path": path, "format": "ecs", "start": "now", "settle": "0s", "poll_interval": "100ms",
		}
		for i := 0; i < len(values); i += 2 {
			options[values[i]] = values[i+1]
		}
		settings, _, err := config.Input.ParseMap(options, config.ParseOptions{NeedState: true})
		if err != nil {
			t.Fatal(err)
		}
		if s, err = Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
		}()
		testkit.Until(t, "the first pass", func() bool {
			s.Pipe.Drain(func(string, []byte, int) bool { return true })
			_, err := cursor.Read(path)
			return err == nil && !s.Reader.ReadUpTo().IsZero()
		})
		cancel()
		learned = s.names.Learned.Load()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Fatal(err)
		}
		return s, learned
	}
	s, first := run()
	if known := s.names.Stats().Entries; first < 100 || known < 100 || s.Pipe.Stats.Taken.Load() > 0 {
		t.Errorf("%d events taught %d names, %d came out", first, known, s.Pipe.Stats.Taken.Load())
	}
	if _, again := run(); again != 0 {
		t.Errorf("%d events were read again", again)
	}
	if err := os.WriteFile(path+markSuffix, []byte(`{"done":["user.human.added"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, rest := run(); rest == 0 || rest >= first {
		t.Errorf("after a crash %d events were read, first it were %d", rest, first)
	}
	if err := os.WriteFile(path+markSuffix, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, whole := run(); whole != first {
		t.Errorf("with a damaged mark %d events were read, first it were %d", whole, first)
	}
	if err := os.Remove(path + namesSuffix); err != nil {
		t.Fatal(err)
	}
	if _, whole := run(); whole != first {
		t.Errorf("without names %d events were read, first it were %d", whole, first)
	}
}

// Where the server fails, events do not wait for names.
func TestLearn_DoesNotStopReading(t *testing.T) {
	s := &Source{learned: make(chan struct{}), opts: Options{Log: slog.New(slog.DiscardHandler)}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.awaitLearning(ctx) // returns: the context has ended
	s.endWait()
	s.endWait()
	s.awaitLearning(t.Context()) // returns: nothing is waited for
}
