package zitadel

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/watched"
)

const (
	// lookEvery is how often a file is checked for a change.
	lookEvery = time.Second

	// maxSecretFile is far above any token or key, in bytes. It keeps a wrong
	// path, for example of a log file, from being read whole.
	maxSecretFile = 64 << 10
)

// secretFile is a file with one secret, which is read again when it changes.
// While the file is missing or empty, there is no secret: the last one may have
// been withdrawn.
type secretFile struct {
	option string
	path   string
	secret watched.Value[string]
}

func (c *Client) newSecretFile(option, path string, log *slog.Logger) *secretFile {
	f := &secretFile{option: option, path: path}
	f.secret.Now = c.clock.now
	f.secret.Stamp = func() string { return watched.Stamp(path) }
	f.secret.Read = func(previous string) (string, error) {
		content, _, err := bounded.ReadFile(path, maxSecretFile)
		secret := strings.TrimSpace(string(content))
		if err == nil {
			err = sendable(secret)
		}
		if err != nil {
			return "", err
		}
		if previous != "" && previous != secret {
			log.Info("secret file has changed, using the new content", "option", option, "path", path)
		}
		c.scrub.hide(secret)
		return secret, nil
	}
	return f
}

// read returns the secret. It checks the file at most once a second, unless there
// is no secret; with fresh it reads the file now.
func (f *secretFile) read(fresh bool) (string, error) {
	if !fresh {
		if secret, err := f.secret.Get(lookEvery); err == nil {
			return secret, nil
		}
	}
	secret, err := f.secret.Reload()
	if err != nil {
		return "", localStop(fmt.Sprintf("%s %s: %s", f.option, f.path, err),
			"put the secret, and nothing else, into this file and make it readable for this process; it is read again without a restart", err)
	}
	return secret, nil
}
