package config

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxFile bounds the files that options name. A key is 2 KB; a bundle of all
// public certificate authorities 250 KB.
const maxFile = 1 << 20

// readFile reads a regular file of bounded size. Its errors do not repeat the
// path: a secret may have been given in its place.
func readFile(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path) // before opening: a named pipe would block
	if err != nil {
		return nil, 0, fileError(err)
	}
	switch {
	case info.IsDir():
		return nil, 0, &valueError{"is a directory, not a file", ""}
	case !info.Mode().IsRegular():
		return nil, 0, &valueError{"is no regular file, and so cannot be read again", ""}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fileError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, 0, fileError(err)
	}
	if len(data) > maxFile {
		return nil, 0, &valueError{"holds more than 1 MiB", "check that it is the right file"}
	}
	return data, info.Mode(), nil
}

func fileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &valueError{"does not exist", "check the path; it is relative to the directory the process was started in, unless it begins with /"}
	case errors.Is(err, fs.ErrPermission):
		return &valueError{"may not be read by this user", "give it to the user that runs Fluent Bit or zitadel-siem"}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &valueError{"cannot be read: " + err.Error(), ""}
}

// checkFile reads what a file option names and looks whether it can be what
// the option wants. Contents are never repeated.
func (p *parser) checkFile(o Option, path string) {
	if p.opts.NoFiles {
		return
	}
	data, mode, err := readFile(path)
	if err == nil {
		err = o.fileContent(data)
	}
	if err != nil {
		p.refuse(o, path, err)
		return
	}
	if o.public || runtime.GOOS == "windows" { // no permission bits there
		return
	}
	if perm := mode.Perm(); perm&0o077 != 0 {
		p.warn(o.Name, p.show(o, path), fmt.Sprintf("can be read by others (mode %04o)", perm), "chmod 600 "+ShellWord(path))
	}
}

// fileContent looks at a file as its reader will.
func (o Option) fileContent(data []byte) error {
	if strings.TrimSpace(string(data)) == "" {
		return &valueError{"is empty", ""}
	}
	return o.content(data)
}

func bareSecret(data []byte) error {
	text := strings.TrimSpace(string(data))
	if strings.HasPrefix(text, "{") {
		return &valueError{"holds JSON, not a bare secret", "a service user's JSON key belongs to key_file"}
	}
	if strings.ContainsAny(text, " \t\r\n") {
		return &valueError{"holds white space inside the secret", "write the secret alone, on one line"}
	}
	return nil
}

func certificates(data []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return &valueError{"holds no PEM certificate", "it begins with -----BEGIN CERTIFICATE-----"}
	}
	return nil
}

// keyContent checks the fields of ZITADEL's key file for a service user.
func keyContent(data []byte) error {
	var key struct {
		Type   string `json:"type"`
		KeyID  string `json:"keyId"`
		Key    string `json:"key"`
		UserID string `json:"userId"`
	}
	if json.Unmarshal(data, &key) != nil {
		return &valueError{"is not the JSON key that ZITADEL gives for a service user", "create one in the console: service user, Keys, New, JSON"}
	}
	if key.Type == "application" {
		return &valueError{"is the key of an application, which cannot read events", "create a key of a service user"}
	}
	if key.KeyID == "" || key.Key == "" || key.UserID == "" {
		return &valueError{"lacks one of keyId, key, userId", "create a new key in the console: service user, Keys, New, JSON"}
	}
	return nil
}

// checkStatePath wants a place where the state can be written.
func (p *parser) checkStatePath(o Option, path string) {
	if p.opts.NoFiles {
		return
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		p.refuse(o, path, &valueError{"is a directory", "did you mean " + filepath.Join(path, "zitadel-siem.state") + "?"})
		return
	}
	dir := filepath.Dir(path)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		p.refuse(o, path, &valueError{"stands in a directory that does not exist", "mkdir -p -m 700 " + ShellWord(dir)})
	case err != nil:
		p.refuse(o, path, fileError(err))
	case !info.IsDir():
		p.refuse(o, path, &valueError{"stands below " + dir + ", which is no directory", ""})
	}
}

// likeSecret sees that somebody gave the secret itself where its file was
// asked for: JSON, PEM, a JWT, or a long word that is no path.
func likeSecret(v string) bool {
	return strings.HasPrefix(v, "{") || strings.HasPrefix(v, "-----BEGIN") || strings.HasPrefix(v, "eyJ") ||
		len(v) >= 20 && !strings.ContainsAny(v, `/\.`)
}

// privateKey looks for a PEM key that needs no passphrase.
func privateKey(data []byte) error {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return &valueError{"holds no PEM private key", "it begins with -----BEGIN PRIVATE KEY-----"}
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return &valueError{"holds a private key with a passphrase, which nobody could type in", "take the passphrase away: openssl pkey -in FILE -out FILE.plain"}
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil
		}
	}
}
