package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// actionsTag is the tag of action records that nobody else has given one.
const actionsTag = "zitadel.actions"

type parseCommand struct {
	Files  []string `arg:"" optional:"" help:"Log files; without any, or for -, standard input."`
	Status bool     `help:"Say at the end how many lines of each kind there were, also where standard error is no terminal."`

	kong.Plugins
}

func (c *parseCommand) Help() string {
	return "Reads the lines that a self-hosted ZITADEL writes to standard error, bare or as Docker and Kubernetes keep them, and prints " +
		"those of actions as JSON records, without the secrets in them. With --forward they go to a Fluent Bit instead, and what is read " +
		"waits until it has acknowledged them. For example: kubectl logs -f deploy/zitadel | zitadel-siem parse"
}

func (c *parseCommand) Run(ctx context.Context, console *console) error {
	settings, err := settingsOf(config.Output, c.Plugins, console)
	if err != nil {
		return err
	}
	out, err := newRecordSink(settings, console)
	if err != nil {
		return err
	}
	run := parseRun{
		out: out,
	}
	run.parser = parser.New(parser.Options{
		Kinds: parser.KindsOf(settings.Kinds...), Raw: settings.Raw, Instance: settings.Instance, Panicked: panickedOnce(console),
	})
	if err = run.files(ctx, c.Files); err == context.Canceled {
		err = nil // Ctrl-C between two batches: what was read has been written
	}
	err = errors.Join(err, out.close())
	console.clear()
	if told := run.told(); c.Status || console.terminal || run.written == 0 && run.lines > 0 {
		console.line(told)
	}
	return err
}

// panickedOnce tells of the first line that caused a panic, without its text.
func panickedOnce(console *console) func(v any) {
	var once sync.Once
	return func(v any) {
		once.Do(func() {
			console.line(fmt.Sprintf("panic of type %T while a line was parsed, please report it: such lines become log.malformed\n%s", v, debug.Stack()))
		})
	}
}

// recordSink takes records in batches.
type recordSink interface {
	add(r *parser.Record)
	flush(ctx context.Context) error
	close() error
}

// parseRun is one run over some inputs.
type parseRun struct {
	parser         *parser.Parser
	out            recordSink
	lines, written uint64
}

func (run *parseRun) files(ctx context.Context, names []string) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		if err := run.file(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (run *parseRun) file(ctx context.Context, name string) error {
	if name == "-" {
		return run.read(ctx, os.Stdin, "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("log file: %w%w", err, silent{errUsage})
	}
	defer f.Close()
	return run.read(ctx, f, name)
}

// read parses what in gives until its end, or until ctx ends.
func (run *parseRun) read(ctx context.Context, in io.Reader, name string) error {
	// A read from a terminal or a pipe cannot be called off: at Ctrl-C it is
	// left behind.
	failed := make(chan error, 1)
	batches, free := make(chan []byte), make(chan []byte, 1)
	free <- nil
	go func() { failed <- readLines(ctx, in, batches, free) }()
	assembler := parser.NewAssembler()
	for {
		select {
		case batch := <-batches:
			for line := range bytes.Lines(batch) {
				if whole, ok := assembler.Add(line); ok {
					run.line(whole)
				}
			}
			free <- batch
			if err := run.out.flush(ctx); err != nil {
				return err
			}
		case err := <-failed:
			if err != nil && !errors.Is(err, context.Canceled) {
				err = fmt.Errorf("%s: %w", name, err)
			}
			for {
				rest, ok := assembler.Flush()
				if !ok {
					return errors.Join(err, run.out.flush(ctx))
				}
				run.line(rest)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (run *parseRun) line(line []byte) {
	run.lines++
	var r parser.Record
	if run.parser.Parse(line, &r) {
		r.Read = time.Now()
		run.out.add(&r)
		run.written++
	}
}

// told is the last line of a run.
func (run *parseRun) told() string {
	counts := run.parser.Counts()
	parts := []string{fmt.Sprintf("%s of %s lines written", thousands(run.written), thousands(run.lines))}
	for k, name := range parser.KindNames() {
		if n := counts[k]; n > 0 {
			parts = append(parts, thousands(n)+" "+name)
		}
	}
	s := strings.Join(parts, "; ")
	if run.written == 0 && run.lines > 0 {
		s += " (none of them a kind that is wanted; --kinds all writes every line)"
	}
	return s
}

// batchSize is how much is parsed before it is written out, 1 MiB; less where
// the input has no more at the moment.
const batchSize = 1 << 20

// readLines gives whole lines in batches; of a line longer than the parser reads, its
// beginning.
func readLines(ctx context.Context, in io.Reader, batches chan<- []byte, free <-chan []byte) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		var batch []byte
		select {
		case batch = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		batch, err := nextBatch(r, batch[:0])
		if len(batch) > 0 {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func nextBatch(r *bufio.Reader, batch []byte) ([]byte, error) {
	start := 0 // of the line that is being read
	for {
		part, err := r.ReadSlice('\n')
		if room := start + parser.MaxLine + 1 - len(batch); len(part) > room {
			part = part[:max(room, 0)]
		}
		batch = append(batch, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue // the line goes on
		case err != nil:
			return batch, err
		}
		if batch[len(batch)-1] != '\n' {
			batch = append(batch, '\n') // of a line that was cut
		}
		start = len(batch)
		if r.Buffered() == 0 || len(batch) >= batchSize {
			return batch, nil
		}
	}
}
