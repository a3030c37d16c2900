package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// credentialsDirectory is the variable that systemd sets for a unit with credentials.
const credentialsDirectory = "CREDENTIALS_DIRECTORY"

// unexpandedFix says how to set a variable that an option refers to.
func unexpandedFix(name string) string {
	if name == credentialsDirectory {
		return "systemd sets it for the service; by hand, put " + name + "=/etc/zitadel-siem in front of the command"
	}
	return "set " + name + " in the environment of the process; Fluent Bit and a shell replace ${" + name + "}"
}

// credential returns the name of a systemd credential if path is one: systemd copies
// the files that LoadCredential= of a unit names into this directory when the unit starts.
func credential(path string) (name string, ok bool) {
	dir := os.Getenv(credentialsDirectory)
	if dir == "" || filepath.Dir(filepath.Clean(path)) != filepath.Clean(dir) {
		return "", false
	}
	return filepath.Base(path), true
}

// credentialError adds to what is wrong with a credential where its content comes from.
// The path of the option is a copy, which nobody can edit.
func credentialError(path string, err error) error {
	name, ok := credential(path)
	if err == nil || !ok {
		return err
	}
	why := err.Error()
	if known, ok := errors.AsType[*valueError](err); ok {
		why = known.why
	}
	source := credentialSource(name)
	return &valueError{why, fmt.Sprintf("write it into the file that LoadCredential=%s: of the systemd unit names: "+
		"sudo install -m 600 /dev/stdin %s, paste it, press Enter and Ctrl-D; then sudo systemctl restart zitadel-siem", name, source)}
}

// credentialSource is where the unit of the packages has a credential from.
func credentialSource(name string) string { return "/etc/zitadel-siem/" + name }

// ForPeople returns how a message names the file that an option names: of a credential,
// the file that can be changed.
func ForPeople(path string) string {
	name, ok := credential(path)
	if !ok {
		return path
	}
	return credentialSource(name) + " (then: sudo systemctl restart zitadel-siem)"
}
