package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// actionLines are the lines of the look-alike's actions, three for each login.
func actionLines() (lines []string) {
	at := time.Date(2026, 11, 22, 9, 24, 58, 1000, time.UTC)
	for i, message := range zitadeltest.ActionMessages() {
		lines = append(lines, zitadeltest.ActionRun(at.Add(time.Duration(i)*time.Second), message)...)
	}
	return lines
}

// actionSecrets are the secrets in the recorded messages.
var actionSecrets = []string{"Passw0rd!x", "zitadel.useragent=", "zitadel.login.csrf=", "gorilla.csrf", "MTc5NTMz", `"nope"`, "whatever"}

func wantNoSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range actionSecrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds %q", what, secret)
		}
	}
}

func TestParseWritesARecordForEachLineOfAnAction(t *testing.T) {
	t.Parallel()
	text := strings.Join(actionLines(), "\n") + "\nsome other line\n"
	if !strings.Contains(text, "Passw0rd!x") {
		t.Fatal("the lines hold no secret: nothing is tested")
	}
	cmd := program(t, nil, "parse")
	cmd.Stdin = strings.NewReader(text)
	stdin := finish(t, cmd)
	file := finish(t, program(t, nil, "parse", "--status", writeFile(t, "zitadel.log", text)))
	for _, got := range []result{stdin, file} {
		if got.status != 0 || strings.Count(got.stdout, "\n") != len(actionLines()) {
			t.Error(got)
		}
		for id, n := range idsOf(t, got.stdout) {
			if n != 1 || !strings.HasPrefix(id, "400712317102197798/action_log/1795339") {
				t.Errorf("id %q came %d times", id, n)
			}
		}
		wantNoSecret(t, "the output", got.stdout+got.stderr)
	}
	if stdin.stderr != "" {
		t.Errorf("a pipe that works says %q", stdin.stderr)
	}
	wantLines(t, file.stderr, fmt.Sprintf("%d of %d lines written; 1 other; ", len(actionLines()), len(actionLines())+1))
}

func TestParseJoinsTheLinesThatARuntimeSplit(t *testing.T) {
	t.Parallel()
	line := actionLines()[1]
	const stamp = "2026-11-22T09:24:58.169853012Z stderr "
	cmd := program(t, nil, "parse")
	cmd.Stdin = strings.NewReader(stamp + "P " + line[:700] + "\n" + stamp + "P " + line[700:1400] + "\n" + stamp + "F " + line[1400:] + "\n")
	got := finish(t, cmd)
	if got.status != 0 || gjson.Get(got.stdout, "login.user_name").Str != "alice" || gjson.Get(got.stdout, "trust").Str != "full" {
		t.Error(got, got.stdout)
	}
}

func TestParseReadsTheBeginningOfALineWithoutAnEnd(t *testing.T) {
	t.Parallel()
	cmd := program(t, nil, "parse", "--kinds", "all")
	cmd.Stdin = strings.NewReader(strings.Repeat("x", 3<<20) + "\n" + actionLines()[0] + "\n" + strings.Repeat("y", 2<<20))
	got := finish(t, cmd)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if got.status != 0 || len(lines) != 3 {
		t.Fatal(got)
	}
	for i, want := range []struct{ typ, cut string }{{"log.other", "true"}, {"action.run.started", ""}, {"log.other", "true"}} {
		if gjson.Get(lines[i], "event.type").Str != want.typ || gjson.Get(lines[i], "cut").Raw != want.cut {
			t.Errorf("line %d: %.300s", i, lines[i])
		}
	}
}

func TestParseSaysWhyNothingComes(t *testing.T) {
	t.Parallel()
	cmd := program(t, nil, "parse")
	cmd.Stdin = strings.NewReader("hello\n")
	got := finish(t, cmd)
	if got.status != 0 || got.stdout != "" {
		t.Error(got)
	}
	wantLines(t, got.stderr, "1 other", "--kinds all")

	got = finish(t, program(t, nil, "parse", "--kinds", "lgo"))
	if got.status != exitUsage {
		t.Error(got)
	}
	wantLines(t, got.stderr, `kinds: "lgo" is not one of `, "did you mean log?")

	got = finish(t, program(t, nil, "parse", "no-such.log"))
	if got.status != exitUsage {
		t.Error(got)
	}
	wantLines(t, got.stderr, "no-such.log: no such file")
}

// start starts cmd, which gets text on standard input and no end of it.
func start(t *testing.T, cmd *exec.Cmd, text string) (stdout, stderr *bufio.Reader) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		io.WriteString(stdin, text) // fails where it ends before it has read all
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-written
		stdin.Close()
	})
	return bufio.NewReader(out), bufio.NewReader(errs)
}

// ctrlC sends SIGINT. It returns what cmd says from then on.
func ctrlC(t *testing.T, cmd *exec.Cmd, stdout, stderr *bufio.Reader) (got result) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(stdout)
	errs, _ := io.ReadAll(stderr)
	_ = cmd.Wait()
	return result{string(out), string(errs), cmd.ProcessState.ExitCode()}
}

func readRecords(t *testing.T, stdout *bufio.Reader, n int) {
	t.Helper()
	for range n {
		if line, err := stdout.ReadString('\n'); err != nil || !gjson.Valid(line) {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// A follower's read ends anywhere. The beginning of a line holds nothing back.
func TestParseHoldsNoWholeLineBack(t *testing.T) {
	t.Parallel()
	lines := actionLines()
	cmd := program(t, nil, "parse")
	stdout, stderr := start(t, cmd, lines[0]+"\n"+lines[1]+"\n"+lines[2][:40])
	readRecords(t, stdout, 2)
	got := ctrlC(t, cmd, stdout, stderr)
	if got.status != 0 || got.stderr != "" {
		t.Error(got)
	}
}

// Whatever it was doing.
func TestLaw8_WhatParseHasReadIsWrittenAtCtrlC(t *testing.T) {
	t.Parallel()
	lines := actionLines()

	// While standard output is full: it writes a piece at once, more than a pipe holds.
	text := strings.Repeat(strings.Join(lines, "\n")+"\n", 400)
	cmd := program(t, nil, "parse", writeFile(t, "zitadel.log", text))
	stdout, stderr := start(t, cmd, "")
	if _, err := stdout.Peek(1); err != nil {
		t.Fatal(err)
	}
	got := ctrlC(t, cmd, stdout, stderr)
	n, least := strings.Count(got.stdout, "\n"), strings.Count(text[:pieceSize], "\n")
	if got.status != 0 || got.stderr != "" || n < least || n >= 400*len(lines) {
		t.Error(got, n)
	}
	for line := range strings.Lines(got.stdout) {
		if !gjson.Valid(line) {
			t.Fatalf("half a record: %q", line)
		}
	}

	// While it waits for the end of a line: a runtime's part, and bytes of a line.
	const stamp = "2026-11-22T09:24:58.169853012Z stderr "
	cmd = program(t, nil, "parse", "--kinds", "all")
	stdout, stderr = start(t, cmd, stamp+"P a part\n"+lines[0]+"\n"+lines[1][:40])
	readRecords(t, stdout, 1)
	if got = ctrlC(t, cmd, stdout, stderr); got.status != 0 || got.stderr != "" || strings.Count(got.stdout, "\n") != 2 {
		t.Error(got, got.stdout)
	}
}

func TestParseForwardsAndWaitsForTheOtherSide(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // away, at first

	cmd := program(t, nil, "parse", "--forward", address, "--ack-timeout", "2s")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := actionLines()
	if _, err := stdin.Write([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil || !strings.Contains(said, address) || !strings.Contains(said, "again in ") {
		t.Fatalf("it says %q, %v", said, err)
	}
	server := forwardtest.Start(t, forwardtest.Options{Network: "tcp", Address: address})
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	records := server.Records()
	if len(records) != len(lines) {
		t.Errorf("%d records came, want %d", len(records), len(lines))
	}
	for _, m := range server.Messages() {
		if m.Tag != actionsTag {
			t.Errorf("tag %q", m.Tag)
		}
	}
	wantNoSecret(t, "what was forwarded", fmt.Sprint(records))
}

func TestParseTellsAtCtrlCWhatNobodyHas(t *testing.T) {
	t.Parallel()
	const times = 20 // several messages
	text := strings.Repeat(strings.Join(actionLines(), "\n")+"\n", times)
	cmd := program(t, nil, "parse", "--forward", "127.0.0.1:1", "--chunk-size", "64k", writeFile(t, "zitadel.log", text))
	stdout, stderr := start(t, cmd, "")
	if _, err := stderr.ReadString('\n'); err != nil { // it tries again
		t.Fatal(err)
	}
	got := ctrlC(t, cmd, stdout, stderr)
	if got.status != exitFailed {
		t.Error(got)
	}
	wantLines(t, got.stderr, fmt.Sprintf("at least %d records were read and not acknowledged: forward to tcp://127.0.0.1:1: connection refused", times*len(actionLines())))
}

// The other side has a moment for the answer that is under way.
func TestParseWaitsAtCtrlCForTheAnswer(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	server := forwardtest.Start(t, forwardtest.Options{Answer: func(n int) forwardtest.Answer {
		if n == 0 {
			close(asked)
			<-answer
		}
		return forwardtest.Ack
	}})
	lines := actionLines()
	cmd := program(t, nil, "parse", "--forward", server.Forward().Address)
	stdout, stderr := start(t, cmd, strings.Join(lines, "\n")+"\n")
	<-asked
	time.AfterFunc(100*time.Millisecond, func() { close(answer) }) // whether before or after Ctrl-C
	got := ctrlC(t, cmd, stdout, stderr)
	if got.status != 0 || got.stderr != "" || len(server.Records()) != len(lines) {
		t.Error(got, len(server.Records()))
	}
}

func TestParseNamesADirectoryOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got := finish(t, program(t, nil, "parse", dir))
	if got.status != exitFailed || !strings.HasPrefix(got.stderr, "zitadel-siem: "+dir+": is a directory\n") {
		t.Error(got)
	}
}
