package zitadel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// lookEvery is how often a file is looked at for a change.
	lookEvery = time.Second

	// maxSecretFile is far above any token, in bytes; it keeps a wrong path,
	// say to a log, from being read whole.
	maxSecretFile = 64 << 10
)

// secretFile is a file with one secret, read again when it changes. A file
// that is away or empty is an error for as long as it is.
type secretFile struct {
	name  string // the option
	path  string
	now   func() time.Time
	scrub *scrubber
	log   *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   fs.FileInfo // of the content that secret is from
	secret string
}

// read is the secret. It looks at the file at most once a second, unless there
// is no secret yet; fresh reads it in any case.
func (f *secretFile) read(fresh bool) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if !fresh && f.secret != "" && now.Sub(f.looked).Abs() < lookEvery {
		return f.secret, nil
	}
	f.looked = now

	info, err := os.Stat(f.path)
	if err == nil && !fresh && f.secret != "" && os.SameFile(info, f.seen) &&
		info.ModTime().Equal(f.seen.ModTime()) && info.Size() == f.seen.Size() {
		return f.secret, nil
	}
	secret := ""
	if err == nil {
		secret, err = f.content(info)
	}
	if err != nil {
		f.secret = ""
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err // the message has the path
		}
		return "", localStop(fmt.Sprintf("%s %s: %s", f.name, f.path, err),
			"put the secret, and nothing else, into this file and make it readable for this process; it is looked at again by itself", err)
	}
	if f.secret != "" && f.secret != secret {
		f.log.Info("secret file has changed, using the new content", "option", f.name, "path", f.path)
	}
	f.scrub.hide(secret)
	f.secret, f.seen = secret, info
	return secret, nil
}

func (f *secretFile) content(info fs.FileInfo) (string, error) {
	if !info.Mode().IsRegular() {
		return "", errors.New("is not a regular file") // a pipe would block, and ends after one reading
	}
	file, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxSecretFile {
		return "", errors.New("is too long for a secret")
	}
	secret := strings.TrimSpace(string(content))
	return secret, sendable(secret)
}
