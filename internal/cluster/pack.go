package cluster

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

const (
	// packFrom bytes of JSON and more are compressed: below, a row or key is small anyway.
	packFrom = 2 << 10
	// maxState limits what is unpacked, as internal/cursor limits the file.
	maxState = 64 << 20
)

// pack is the state as the store keeps it: the JSON of the state file, or its gzip.
func pack(s cursor.State) ([]byte, error) {
	b, err := cursor.Encode(s)
	if err != nil || len(b) < packFrom {
		return b, err
	}
	if len(b) > maxState {
		return nil, fmt.Errorf("the state has %d MiB, more than the %d that are read back: choose a shorter overlap", len(b)>>20, maxState>>20)
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(b); err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

func unpack(b []byte, instance string) (cursor.State, error) {
	text, err := gunzip(b)
	var s cursor.State
	if err == nil {
		s, err = cursor.Decode(text)
	}
	if err != nil {
		return cursor.State{}, fmt.Errorf("the state of source %q in the store cannot be used: %w; restore it from a backup of the store, or delete it there to read again from `start` (events then come out twice, with the same event.id)", instance, err)
	}
	if s.Instance != instance {
		return cursor.State{}, fmt.Errorf("the state of source %q in the store belongs to instance %q: restore it from a backup of the store, or delete it there to read again from `start`", instance, s.Instance)
	}
	return s, nil
}

func gunzip(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxState+1))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if len(text) > maxState {
		return nil, fmt.Errorf("it has more than %d MiB", maxState>>20)
	}
	return text, nil
}
