package verify

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// maxLine bounds one line, or one JSON value that spans lines. A page of 10,000 hits of
// Elasticsearch, the most that it gives at once, has about 20 MB.
const maxLine = 64 << 20

// maxDepth bounds the nesting of foreign JSON: gjson checks it by recursion.
const maxDepth = 512

// Input is one file of the copy. Make it with [OpenInput].
type Input struct {
	Name string

	file     *os.File
	counted  counter
	gz       *gzip.Reader
	in       *bufio.Reader
	line     int  // number of the last line
	document bool // one JSON value over many lines
	decoder  *json.Decoder
	limit    *io.LimitedReader
	inArray  bool
	pending  []value // read ahead by sample
	buf      []byte
	ended    bool
}

// counter counts and hashes the bytes of a file as it is on disk.
type counter struct {
	r    io.Reader
	n    *atomic.Int64
	hash hash.Hash
	own  int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.hash.Write(b[:n])
	c.own += int64(n)
	c.n.Add(int64(n))
	return n, err
}

// value is one line, or one JSON value of a document.
type value struct {
	data   []byte
	number int
	err    error // why the line is no value; reading goes on
}

// OpenInput opens a file, or standard input for "-". read counts the bytes that are read.
// What is read from a pipe ends with ctx, also while nothing comes.
func OpenInput(ctx context.Context, name string, read *atomic.Int64) (*Input, error) {
	i := &Input{Name: name}
	if name == "-" {
		i.Name, i.file = "standard input", os.Stdin
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		i.file = f
	}
	var from io.Reader = i.file
	if info, err := i.file.Stat(); err == nil && !info.Mode().IsRegular() {
		from = until(ctx, i.file)
	}
	i.begin(from, read, 1<<20)
	return i, nil
}

// until reads r in a goroutine: a read of a pipe cannot be cancelled. The goroutine ends with the
// next byte, or with the process.
func until(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err)
	}()
	return out
}

func (i *Input) begin(r io.Reader, read *atomic.Int64, buffer int) {
	i.counted = counter{r: r, n: read, hash: sha256.New()}
	i.in = bufio.NewReaderSize(&i.counted, buffer)
}

// size is the size of the file on disk; 0 if it has none.
func (i *Input) size() int64 {
	if i.file == nil {
		return 0
	}
	info, err := i.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// Close closes the file.
func (i *Input) Close() error {
	if i.file == nil || i.file == os.Stdin {
		return nil
	}
	return i.file.Close()
}

// sum is the SHA-256 of the bytes that were read.
func (i *Input) sum() string { return hex.EncodeToString(i.counted.hash.Sum(nil)) }

// sample reads ahead, to find out what the file holds. It returns the first values, at most n.
func (i *Input) sample(n int) ([]value, error) {
	for len(i.pending) < n {
		v, err := i.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		v.data = bytes.Clone(v.data)
		i.pending = append(i.pending, v)
	}
	return i.pending, nil
}

// next returns the next value. Its bytes are valid until the next call. The error is io.EOF
// at the end.
func (i *Input) next(ctx context.Context) (value, error) {
	if len(i.pending) > 0 {
		v := i.pending[0]
		i.pending = i.pending[1:]
		return v, nil
	}
	if err := ctx.Err(); err != nil {
		return value{}, err
	}
	return i.read()
}

func (i *Input) read() (value, error) {
	if i.ended {
		return value{}, io.EOF
	}
	if i.line == 0 && i.decoder == nil {
		if err := i.first(); err != nil {
			return value{}, err
		}
	}
	if i.document {
		return i.readValue()
	}
	for {
		v, err := i.readLine()
		if err != nil || v.err != nil || len(v.data) > 0 {
			return v, err
		}
	}
}

// first finds out whether the file is compressed, and whether it is one JSON document over
// several lines, as curl and jq print it.
func (i *Input) first() error {
	if head, _ := i.in.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		var err error
		if i.gz, err = gzip.NewReader(i.in); err != nil {
			return fmt.Errorf("%s: it begins as gzip and is not: %w", i.Name, err)
		}
		i.in = bufio.NewReaderSize(i.gz, 1<<20)
	}
	if mark, _ := i.in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = i.in.Discard(3)
	}
	head, _ := i.in.Peek(64)
	first, _, found := bytes.Cut(head, []byte("\n"))
	if first = bytes.TrimSpace(first); found && (string(first) == "{" || string(first) == "[") {
		i.document = true
		i.limit = &io.LimitedReader{R: i.in, N: maxLine}
		i.decoder = json.NewDecoder(i.limit)
		if string(first) == "[" {
			i.inArray = true
			_, _ = i.decoder.Token() // the bracket that was seen
		}
	}
	return nil
}

// readLine reads a line. What is longer than maxLine is skipped.
func (i *Input) readLine() (value, error) {
	i.line++
	i.buf = i.buf[:0]
	tooLong := false
	for {
		part, err := i.in.ReadSlice('\n')
		if len(i.buf)+len(part) > maxLine {
			tooLong, i.buf = true, i.buf[:0]
		}
		if !tooLong {
			i.buf = append(i.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			i.ended = true
			if len(part) == 0 && len(i.buf) == 0 && !tooLong {
				return value{}, io.EOF
			}
		case err != nil:
			i.ended = true
			return value{}, i.failed(err)
		}
		if tooLong {
			return value{number: i.line, err: fmt.Errorf("longer than %d MiB", maxLine>>20)}, nil
		}
		return value{data: bytes.TrimSpace(i.buf), number: i.line}, nil
	}
}

// readValue reads the next value of a document: an element of the outermost list, or a whole.
func (i *Input) readValue() (value, error) {
	i.line++
	i.limit.N = maxLine
	if i.inArray && !i.decoder.More() {
		if _, err := i.decoder.Token(); err != nil {
			return value{}, i.documentError(err)
		}
		i.inArray = false
	}
	var raw json.RawMessage
	if err := i.decoder.Decode(&raw); err != nil {
		return value{}, i.documentError(err)
	}
	return value{data: raw, number: i.line}, nil
}

func (i *Input) documentError(err error) error {
	i.ended = true
	switch {
	case err == io.EOF:
		return io.EOF
	case i.limit.N <= 0:
		return fmt.Errorf("%s: one JSON value has more than %d MiB: export one record a line (jq -c)", i.Name, maxLine>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the JSON document ends in the middle: export it again", i.Name)
	}
	if _, syntax := errors.AsType[*json.SyntaxError](err); syntax {
		return fmt.Errorf("%s: value %d is not JSON: export one record a line (jq -c)", i.Name, i.line)
	}
	return i.failed(err)
}

func (i *Input) failed(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		return fmt.Errorf("%s: the compressed file is cut or damaged after line %d: export it again", i.Name, i.line-1)
	}
	return fmt.Errorf("%s: %w", i.Name, bounded.WithoutPath(err))
}

// tooDeep reports whether JSON is nested deeper than maxDepth.
func tooDeep[T string | []byte](json T) bool { return bounded.Deeper(json, maxDepth) }
