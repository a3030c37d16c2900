package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// written is a directory for everything that runs of the program write, and the
// secrets that must not be there.
type written struct {
	t       *testing.T
	dir     string
	given   string // another one: the files that hold secrets
	secrets leaktest.Secrets
	runs    int
}

func newWritten(t *testing.T) *written {
	w := &written{t: t, dir: t.TempDir(), given: t.TempDir(), secrets: leaktest.Secrets{}}
	for _, marker := range append([]string{"$2a$", "Crypted", "N3wPassw0rd!", "code=ey"}, actionSecrets...) {
		w.secrets["recorded "+marker] = marker
	}
	return w
}

// give writes a file with a secret.
func (w *written) give(name, secret string) string {
	w.t.Helper()
	w.secrets[name] = secret
	path := filepath.Join(w.given, name)
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// start runs the program with a directory and all outputs below w.dir, and looks at
// what ps shows meanwhile.
func (w *written) start(env []string, stdin string, args ...string) *exec.Cmd {
	w.t.Helper()
	w.runs++
	cmd := program(w.t, append(env, "TMPDIR="+w.dir), args...)
	cmd.Dir, cmd.Stdin = w.dir, strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = w.create("stdout"), w.create("stderr")
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.secrets.WantNone(w.t, "the process list", leaktest.CommandLine(w.t, cmd.Process.Pid))
	return cmd
}

func (w *written) create(name string) *os.File {
	w.t.Helper()
	file, err := os.OpenFile(w.path(name), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { file.Close() })
	return file
}

// path is that of an output of the latest run.
func (w *written) path(name string) string {
	return filepath.Join(w.dir, fmt.Sprint(w.runs, ".", name))
}

func (w *written) said(name, part string) bool {
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return bytes.Contains(text, []byte(part))
}

// until runs the program until it says something on standard error, and kills it:
// nothing is tidied up.
func (w *written) until(part string, env []string, stdin string, args ...string) {
	w.t.Helper()
	cmd := w.start(env, stdin, args...)
	testkit.Until(w.t, part, func() bool { return w.said("stderr", part) })
	interrupt(w.t, cmd, syscall.SIGKILL)
}

// ends runs the program to its end.
func (w *written) ends(status int, part string, env []string, stdin string, args ...string) {
	w.t.Helper()
	cmd := w.start(env, stdin, args...)
	_ = cmd.Wait() // the status says it all
	if got := cmd.ProcessState.ExitCode(); got != status || !w.said("stderr", part) {
		text, _ := os.ReadFile(w.path("stderr"))
		w.t.Errorf("%v: exit status %d, want %d and %q: %s", args, got, status, part, text)
	}
}

// fullPipe is the end for writing of a pipe that takes no byte more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	if err := write.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := write.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the pipe took %d bytes and is not full: %v", n, err)
	}
	return write
}

// secretEvent holds one in each way that ZITADEL's own events do not.
func secretEvent(w *written) zitadeltest.Event {
	payload, err := structpb.NewStruct(map[string]any{
		"password": "S3CR3T-of-an-event-1", "encodedHash": "S3CR3T-of-an-event-2", "clientSecret": map[string]any{"value": "S3CR3T-of-an-event-3"},
		"url": "https://x.example/?code=S3CR3T-of-an-event-4", "list": []any{map[string]any{"token": "S3CR3T-of-an-event-5"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range 5 {
		w.secrets[fmt.Sprint("secret of an event ", i+1)] = fmt.Sprint("S3CR3T-of-an-event-", i+1)
	}
	return zitadeltest.Event{AggregateType: "user", AggregateID: "1", ResourceOwner: "1", Type: "user.human.added", CreatedAt: time.Now().Add(-time.Minute), Payload: payload}
}

// Law 6, at rest: the program in health and in every trouble, and then all that is
// on the disk.
func TestNothingThatIsWrittenHoldsASecret(t *testing.T) {
	t.Parallel()
	w := newWritten(t)
	store := zitadeltest.NewStore()
	recorded := zitadeltest.RecordedEvents(time.Time{})
	store.Append(recorded[len(recorded)-300:]...)
	store.Append(secretEvent(w))
	server := zitadeltest.Serve(t, store, zitadeltest.Options{})
	var tokens sync.Map // that came, issued ones too
	server.Update(func(f *zitadeltest.Faults) {
		f.BeforeQuery = func(ctx context.Context, _ string, _ proto.Message) error {
			md, _ := metadata.FromIncomingContext(ctx) // of gRPC
			for _, header := range md.Get("authorization") {
				tokens.Store(strings.TrimPrefix(header, "Bearer "), true)
			}
			return nil
		}
	})
	userID, key, err := server.AddServiceKey(zitadeltest.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	_, clientID, clientSecret := server.AddClient(zitadeltest.Viewer)
	const wrong = "S3CR3T/wrong+token=0123"
	token, wrongToken := w.give("token", server.Token()), w.give("wrong token", wrong)
	client, wrongClient := w.give("client secret", clientSecret), w.give("wrong client secret", "S3CR3T-wrong-client")
	keyFile := w.give("key file", string(key))
	var content struct{ Key string }
	if err := json.Unmarshal(key, &content); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(content.Key, "\n") {
		if len(line) > 20 && !strings.Contains(line, "-----") {
			w.secrets[fmt.Sprint("line ", i, " of the key")] = line
		}
	}
	w.secrets["beginning of a JWT"] = "eyJhbGciOi"
	env := func(more ...string) []string {
		all := environment(server, more...)
		return append(all[:1:1], all[2:]...) // without the token
	}

	logins := map[string][]string{
		"token": {"ZITADEL_TOKEN=" + server.Token()}, "token_file": {"ZITADEL_TOKEN_FILE=" + token}, "key_file": {"ZITADEL_KEY_FILE=" + keyFile},
		"client": {"ZITADEL_CLIENT_ID=" + clientID, "ZITADEL_CLIENT_SECRET_FILE=" + client},
	}
	for name, login := range logins {
		for _, transport := range []string{"grpc", "rest"} {
			w.ends(0, "", env(login...), "", "pull", "--once", "--state-path", name+transport+".state", "--transport", transport)
			if !w.said("stdout", "[REDACTED]") {
				t.Errorf("%s: nothing was redacted", name)
			}
		}
		w.ends(0, "", env(login...), "", "check", "--state-path", name+"grpc.state")
	}
	w.ends(exitFailed, "token is wrong", env("ZITADEL_TOKEN="+wrong), "", "pull", "--once")
	w.ends(exitFailed, "token is wrong", env("ZITADEL_TOKEN_FILE="+wrongToken), "", "pull", "--transport", "rest")
	w.ends(exitFailed, "", env("ZITADEL_TOKEN_FILE="+wrongToken), "", "check")
	w.ends(exitFailed, "", env("ZITADEL_CLIENT_ID="+clientID, "ZITADEL_CLIENT_SECRET_FILE="+wrongClient), "", "pull", "--once")
	w.ends(exitUsage, "token_file", env("ZITADEL_TOKEN="+wrong, "ZITADEL_TOKEN_FILE="+wrong, "ZITADEL_KEY_FILE="+wrongToken), "", "pull")
	server.RemoveUser(userID)
	w.ends(exitFailed, "", env("ZITADEL_KEY_FILE="+keyFile), "", "pull", "--once")

	// Killed with a prepared state: its standard output is a pipe that is full, so
	// the first batch is prepared and can never be committed.
	stuck := program(t, env("ZITADEL_TOKEN_FILE="+token), "pull", "--state-path", "stuck.state")
	stuck.Dir, stuck.Stdout = w.dir, fullPipe(t)
	if err := stuck.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "a prepared state", func() bool {
		// The first state has no records, and is committed at once.
		if _, err := os.Stat(filepath.Join(w.dir, "stuck.state")); err != nil {
			return false
		}
		files, _ := filepath.Glob(filepath.Join(w.dir, "stuck.state.pending-*"))
		return len(files) > 0
	})
	interrupt(t, stuck, syscall.SIGKILL)

	shared, wrongShared := w.give("shared key", "S3CR3T-shared-key-0123"), w.give("wrong shared key", "S3CR3T-wrong-shared-key")
	receiver := forwardtest.Start(t, forwardtest.Options{SharedKey: w.secrets["shared key"]})
	address := receiver.Forward().Address
	lines := strings.Join(actionLines(), "\n") + "\n" + actionLines()[1][:900] + "\n"
	w.ends(0, "", nil, lines, "parse", "--raw", "on", "--kinds", "all")
	w.ends(0, "", nil, lines, "parse", "--raw", "on", "--forward", address, "--shared-key-file", shared)
	w.until("again in", []string{"ZITADEL_SHARED_KEY=" + w.secrets["wrong shared key"]}, lines, "parse", "--forward", address)
	w.until("again in", nil, lines, "parse", "--forward", address, "--shared-key-file", wrongShared)
	w.secrets.WantNone(t, "what was forwarded", fmt.Append(nil, receiver.Messages()))
	receiver.Close()
	w.until("again in", nil, lines, "parse", "--forward", address, "--shared-key-file", shared)

	const password = "S3CR3T-of-the-store"
	w.give("password of the store", password)
	for _, url := range []string{"postgres://siem:" + password + "@127.0.0.1:1/siem", "postgres://siem@127.0.0.1:1/siem?password_file=" + filepath.Join(w.given, "password of the store"), "postgres://siem:" + password + "@h:port/siem", "redis://siem:" + password + "@h"} {
		status := exitFailed
		if !strings.Contains(url, "127.0.0.1") {
			status = exitUsage
		}
		shared := env("ZITADEL_TOKEN_FILE="+token, "ZITADEL_STATE="+url)
		for _, args := range [][]string{{"check"}, {"pull", "--members"}, {"state", "import", "tokengrpc.state"}, {"state", "export", "."}} {
			w.ends(status, "", shared, "", args...)
		}
		if status == exitFailed {
			w.until("the store cannot be used", shared, "", "pull")
		}
	}

	server.Stop()
	for name, login := range logins {
		w.until("asking again", env(login...), "", "pull", "--state-path", name+"grpc.state")
	}

	used := 0
	for token := range tokens.Range {
		used++
		w.secrets[fmt.Sprint("token in use ", used)] = token.(string)
	}
	n := w.secrets.WantNoneBelow(t, w.dir, func(string) bool { return true })
	pending, _ := filepath.Glob(filepath.Join(w.dir, "*.pending-*"))
	if states, _ := filepath.Glob(filepath.Join(w.dir, "*.state")); len(states) < 8 || len(pending) == 0 || used < 4 {
		t.Errorf("%d states, %d prepared ones, %d tokens used: too few", len(states), len(pending), used)
	}
	t.Logf("%d runs, %d files, %d secrets", w.runs, n, len(w.secrets))
}
