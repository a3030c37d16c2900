package config

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
)

// maxFile limits the files that options name. A key has 2 KB, a bundle of all
// public certificate authorities 250 KB.
const maxFile = 1 << 20

// readFile reads a file that an option names.
func readFile(path string) ([]byte, fs.FileMode, error) {
	data, mode, err := bounded.ReadFile(path, maxFile)
	if err != nil {
		return nil, 0, fileError(err)
	}
	return data, mode, nil
}

const missing = "does not exist"

// fileError explains err without the path: a secret may have been given in its
// place.
func fileError(err error) error {
	switch {
	case errors.Is(err, bounded.ErrDirectory):
		return &valueError{err.Error(), "name a file in it"}
	case errors.Is(err, bounded.ErrNotRegular):
		return &valueError{"is not a regular file, so it cannot be read again", "write its content into a file, and name that"}
	case errors.Is(err, bounded.ErrTooLarge):
		return &valueError{"is larger than 1 MiB", "check that it is the right file"}
	case errors.Is(err, fs.ErrNotExist):
		return &valueError{missing, "check the path; a path that does not begin with / is relative to the directory in which the process was started"}
	case errors.Is(err, fs.ErrPermission):
		return &valueError{"cannot be read by this user", "make it readable for the user that runs Fluent Bit or zitadel-siem"}
	}
	return &valueError{"cannot be read: " + bounded.WithoutPath(err).Error(), "check the disk, or name another file"}
}

// checkFile reads the file that an option names and checks that it has the form
// that the option needs. Contents are never repeated.
func (p *parser) checkFile(o Option, path string) {
	if p.opts.NoFiles {
		return
	}
	data, mode, err := readFile(path)
	if err == nil {
		err = o.fileContent(data)
	} else if o.make != nil {
		var why *valueError
		if errors.As(err, &why) && why.why == missing {
			err = &valueError{missing, o.make(path)}
		}
	}
	if err != nil {
		p.refuse(o, path, credentialError(path, err))
		return
	}
	if exposed := keyfile.Exposed(mode); exposed != "" && !o.public {
		p.warn(o.Name, p.show(o, path), exposed, "chmod 600 "+ShellWord(path))
	}
}

// fileContent checks a file in the way its reader will.
func (o Option) fileContent(data []byte) error {
	if strings.TrimSpace(string(data)) == "" {
		return &valueError{"is empty", "write the content into it, or name another file"}
	}
	return o.content(data)
}

func bareSecret(data []byte) error {
	text := strings.TrimSpace(string(data))
	if strings.HasPrefix(text, "{") {
		return &valueError{"contains JSON, not only the secret", "use key_file for the JSON key of a service user"}
	}
	if strings.ContainsAny(text, " \t\r\n") {
		return &valueError{"contains white space inside the secret", "write only the secret, on one line"}
	}
	return nil
}

func certificates(data []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return &valueError{"does not contain a PEM certificate", "it begins with -----BEGIN CERTIFICATE-----"}
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
		return &valueError{"does not have all of keyId, key and userId", "create a new key in the console: service user, Keys, New, JSON"}
	}
	return nil
}

// checkStatePath checks that the state can be written there.
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
		p.refuse(o, path, &valueError{"is in a directory that does not exist", "mkdir -p -m 700 " + ShellWord(dir)})
	case err != nil:
		p.refuse(o, path, fileError(err))
	case !info.IsDir():
		p.refuse(o, path, &valueError{"is below " + dir + ", which is not a directory", "give a path in a directory"})
	}
}

// likeSecret reports whether a value looks like the secret itself instead of the
// path of its file: JSON, PEM, a JWT, or a long word that is not a path.
func likeSecret(v string) bool {
	return strings.HasPrefix(v, "{") || strings.HasPrefix(v, "-----BEGIN") || strings.HasPrefix(v, "eyJ") ||
		len(v) >= 20 && !strings.ContainsAny(v, `/\.`)
}

// privateKey checks for a PEM key without a passphrase.
func privateKey(data []byte) error {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return &valueError{"does not contain a PEM private key", "it begins with -----BEGIN PRIVATE KEY-----"}
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return &valueError{"contains a private key with a passphrase, which cannot be entered here", "remove the passphrase: openssl pkey -in FILE -out FILE.plain"}
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil
		}
	}
}
