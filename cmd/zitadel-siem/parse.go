package main

import (
	"bytes"
	"cmp"
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

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// actionsTag is the tag of action records if none is set.
const actionsTag = "zitadel.actions"

type parseCommand struct {
	Files  []string `arg:"" optional:"" help:"Log files. Without any, or for -, read standard input."`
	Status bool     `help:"Print at the end how many lines of each kind there were, even if standard error is not a terminal."`

	kong.Plugins
}

func (c *parseCommand) Help() string {
	return "Reads the lines that a self-hosted ZITADEL writes to standard error, bare or as Docker and Kubernetes store them. It prints " +
		"the lines of actions as JSON records, without the secrets in them. With --forward, the records go to a Fluent Bit instead, and reading " +
		"waits until they are acknowledged. For example: kubectl logs -f deploy/zitadel | zitadel-siem parse"
}

func (c *parseCommand) Run(ctx context.Context, console *terminal.Console) error {
	settings, err := settingsOf(config.Output, c.Plugins, console)
	if err != nil {
		return err
	}
	f, err := format.Open(settings.Format)
	if err != nil {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	to, encode, err := sink.Open(settings, f, &sink.Lines{File: os.Stdout})
	if err != nil {
		return err
	}
	out := &sink.Buffer{Sink: to, Encode: encode, Tag: cmp.Or(settings.Tag, actionsTag), Size: settings.ChunkSize, Log: console.Logger()}
	if settings.Forward != (config.Forward{}) {
		out.Limit = chunks.Limit(settings.MaxChunk)
	}
	kinds := parser.KindsOf(settings.Kinds...)
	run := parseRun{out: out, kinds: kinds, parser: parser.New(parser.Options{
		Kinds: kinds.WithHalves(), Raw: settings.Raw, LineKeys: settings.ChosenLineKeys(), Instance: settings.Instance, Panicked: panickedOnce(console),
	})}
	if kinds.Has(parser.Served) {
		run.join = parser.NewJoiner()
	}
	err = errors.Join(run.files(ctx, c.Files), to.Close())
	console.Clear()
	if c.Status || console.Terminal || run.written == 0 && run.lines > 0 {
		console.Line(run.summary())
	}
	return err
}

// panickedOnce reports the first line that caused a panic, without its text.
func panickedOnce(console *terminal.Console) func(v any) {
	var once sync.Once
	return func(v any) {
		once.Do(func() {
			console.Line(fmt.Sprintf("panic of type %T while a line was parsed, please report it: such lines become log.malformed\n%s", v, debug.Stack()))
		})
	}
}

// parseRun is one run over some inputs.
type parseRun struct {
	parser         *parser.Parser
	out            *sink.Buffer
	record         parser.Record // of the line at hand
	kinds          parser.Kinds  // that become records
	join           *parser.Joiner
	halves         []parser.Record // access records of this piece; of kind Other where a request has taken them
	stream, piece  uint64          // for join
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
		if ctx.Err() != nil { // Ctrl-C is no error: what was read has been written
			break
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

// read parses in until its end, or until ctx ends.
func (run *parseRun) read(ctx context.Context, in io.Reader, name string) error {
	pieces, free := make(chan piece, 2), make(chan []byte, 2)
	defer close(free)
	free <- make([]byte, pieceSize)
	free <- make([]byte, pieceSize)
	go readPieces(ctx, in, pieces, free)
	run.begin(name)
	assembler := parser.NewAssembler()
	take := func(line []byte) {
		if whole, ok := assembler.Add(line); ok {
			run.line(whole)
		}
	}
	var begun []byte // a line whose end is not read yet; of a long one, what the parser reads
	for {
		p := nextPiece(ctx, pieces)
		for line := range bytes.Lines(p.b) {
			ends := line[len(line)-1] == '\n'
			if len(begun) > 0 || !ends {
				begun = append(begun, line[:min(len(line), parser.MaxLine+1-len(begun))]...)
				line = begun
			}
			if ends {
				take(line)
				begun = begun[:0]
			}
		}
		if p.err != nil {
			if len(begun) > 0 {
				take(begun)
			}
			for rest, ok := assembler.Flush(); ok; rest, ok = assembler.Flush() {
				run.line(rest)
			}
		}
		run.lone()
		err := run.out.Flush(ctx)
		if p.err != nil && !errors.Is(p.err, io.EOF) {
			err = errors.Join(fmt.Errorf("%s: %w", name, bounded.WithoutPath(p.err)), err)
		}
		if p.err != nil || err != nil {
			return err
		}
		free <- p.b[:pieceSize]
	}
}

func (run *parseRun) line(line []byte) {
	run.lines++
	if !run.parser.Parse(line, &run.record) {
		return
	}
	run.record.Read = time.Now()
	if run.join == nil || !run.isHalf() {
		run.add(&run.record)
	}
}

func (run *parseRun) add(r *parser.Record) {
	if run.out.Add(r) {
		run.written++
	}
}

// begin starts an input, whose lines are a stream of their own. A file is read from its
// begin; standard input may begin anywhere.
func (run *parseRun) begin(name string) {
	run.stream++
	if run.join != nil && name != "standard input" {
		run.join.Begin(run.stream)
	}
}

// isHalf completes a request with its access record. It reports that the record is not to be
// written now: an access record waits for its request until the end of the piece, and a line
// that cannot be read is only for the joiner.
func (run *parseRun) isHalf() bool {
	switch r := &run.record; r.Kind {
	case parser.Access:
		run.join.Access(run.stream, r, parser.Place{Batch: run.piece, Index: len(run.halves)})
		if !run.kinds.Has(parser.Access) {
			run.halves = append(run.halves, *r)
			return true
		}
		r.Join = parser.NotJoined // it comes out whether or not its request does
	case parser.Malformed:
		run.join.Lost(run.stream)
		return !run.kinds.Has(parser.Malformed)
	case parser.Served:
		place, joined := run.join.Served(run.stream, r)
		if joined && place.Batch == run.piece && place.Index < len(run.halves) {
			run.halves[place.Index].Kind = parser.Other
		}
	}
	return false
}

// lone writes the access records whose request was not in the piece.
func (run *parseRun) lone() {
	for i := range run.halves {
		if r := &run.halves[i]; r.Kind == parser.Access {
			run.add(r)
		}
	}
	clear(run.halves)
	run.halves = run.halves[:0]
	run.piece++
}

// summary is the last line of a run.
func (run *parseRun) summary() string {
	counts := run.parser.Counts()
	parts := []string{fmt.Sprintf("%s of %s lines written", terminal.Thousands(run.written), terminal.Thousands(run.lines))}
	for k, name := range parser.KindNames() {
		if n := counts[k]; n > 0 {
			parts = append(parts, terminal.Thousands(n)+" "+name)
		}
	}
	s := strings.Join(parts, "; ")
	if run.written == 0 && run.lines > 0 {
		s += " (none of them a kind that is wanted; --kinds all writes every line)"
	}
	return s
}

// pieceSize is how much is read at once: 1 MiB. What was read is written before the
// next read.
const pieceSize = 1 << 20

// piece is what one read gave. Its err is io.EOF after the last one.
type piece struct {
	b   []byte
	err error
}

// readPieces reads ahead into the buffers that are free, until the end of in, or of ctx.
// It never blocks but in a read: there are as many places in pieces as buffers.
func readPieces(ctx context.Context, in io.Reader, pieces chan<- piece, free <-chan []byte) {
	for b := range free {
		n, err := in.Read(b)
		if err == nil && ctx.Err() != nil {
			err = io.EOF
		}
		pieces <- piece{b[:n], err}
		if err != nil {
			return
		}
	}
}

// nextPiece waits for a piece. At the end of ctx it takes only what was read already:
// a read from a terminal or a pipe cannot be cancelled.
func nextPiece(ctx context.Context, pieces <-chan piece) piece {
	select {
	case p := <-pieces:
		return p
	case <-ctx.Done():
	}
	select {
	case p := <-pieces:
		return p
	default:
		return piece{err: io.EOF}
	}
}
