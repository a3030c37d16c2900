package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// SharedState says where several processes have the states of the sources that they share.
type SharedState struct {
	// URL is that of a store, postgres:// or etcd://. It may contain a password. Empty: the
	// states are files, and each source has one process.
	URL Secret
	// Lease is the time after which the sources of a process that is gone are free; 0: the
	// default of package cluster.
	Lease time.Duration
}

// maxLease is the longest [SharedState.Lease]; the shortest is [cursor.MinLease].
const maxLease = 10 * time.Minute

// On tells whether states are shared.
func (s SharedState) On() bool { return s.URL != "" }

// ParseSharedState reads what flags or variables say; both may be empty. The error names
// state or state_lease and the fix, and does not contain the URL, which may have a password.
func ParseSharedState(state, lease string) (SharedState, error) {
	if state == "" {
		if lease != "" {
			return SharedState{}, errors.New("state_lease has no effect without state: remove it, or add state")
		}
		return SharedState{}, nil
	}
	s := SharedState{URL: Secret(state)}
	if err := checkStateURL(state); err != nil {
		return SharedState{}, fmt.Errorf("state %w", err)
	}
	if lease != "" {
		d, err := parseLease(lease)
		if err != nil {
			return SharedState{}, fmt.Errorf("state_lease %s %w", quote(lease), err)
		}
		s.Lease = d
	}
	return s, nil
}

// ReadSharedState reads what a file of [ReadSources] says of the store, and nothing else of it.
func ReadSharedState(path string, lookupEnv func(string) (string, bool)) (s SharedState, warnings []string, err error) {
	f := sourcesFile{lookupEnv: lookupEnv, opts: ParseOptions{NoFiles: true}, told: map[string]bool{}}
	root, info, err := readYAML(path, "`state:`")
	if err != nil {
		return SharedState{}, nil, fmt.Errorf("--config %s: %w", path, err)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch node := root.Content[i+1]; root.Content[i].Value {
		case "state":
			f.sharedState(node)
		case "state_lease":
			f.stateLease(node)
		}
	}
	f.exposed(path, info.mode)
	if len(f.problems) > 0 {
		return SharedState{}, f.out.Warnings, fmt.Errorf("--config %s: %s", path, f.shown())
	}
	return f.out.State, f.out.Warnings, nil
}

// Where is the address of the store, without user, password and parameters. It is for URLs that the
// client of the store has parsed.
func (s SharedState) Where() string {
	text, _, _ := strings.Cut(s.URL.Reveal(), "?")
	scheme, rest, _ := strings.Cut(text, "://")
	hosts, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + hosts[strings.LastIndex(hosts, "@")+1:] + "/" + path
}

// checkStateURL looks at the scheme alone: the rest is the business of the client of the store.
func checkStateURL(text string) error {
	scheme, _, _ := strings.Cut(text, "://")
	switch scheme {
	case "postgres", "postgresql", "etcd":
		return nil
	}
	return errors.New("is not the URL of a store: write postgres://USER@HOST:5432/DATABASE or etcd://HOST:2379; for states in files, use state_dir or state_path instead")
}

func parseLease(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err != nil {
		return 0, errors.New("is not a duration such as 15s")
	}
	if d < cursor.MinLease || d > maxLease {
		return 0, fmt.Errorf("is not between %s and %s", cursor.MinLease, maxLease)
	}
	return d, nil
}

// PasswordIn tells whether a URL has a password in it, not only the path of a file with one.
func PasswordIn(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@") // it cannot be told
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// sharedState reads where all states are: file:DIRECTORY is state_dir.
func (f *sourcesFile) sharedState(node *yaml.Node) {
	text := f.plain("state", node, "the URL of a store")
	if dir, ok := strings.CutPrefix(text, "file:"); ok {
		f.useStateDir(node.Line, strings.TrimPrefix(dir, "//"))
		return
	}
	if text == "" {
		return
	}
	f.opts.Shared = true // also of a wrong URL: that each source has no state_path is no news then
	if err := checkStateURL(text); err != nil {
		f.fail(node.Line, "state %s", err)
		return
	}
	f.secret = f.secret || PasswordIn(node.Value)
	f.out.State.URL = Secret(text)
}

func (f *sourcesFile) stateLease(node *yaml.Node) {
	text := f.plain("state_lease", node, "a duration such as 15s")
	if text == "" {
		return
	}
	lease, err := parseLease(text)
	if err != nil {
		f.fail(node.Line, "state_lease %s %s", quote(text), err)
		return
	}
	f.out.State.Lease = lease
}
