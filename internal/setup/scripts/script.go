package scripts

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	actionsscripts "github.com/zitadel-siem/zitadel-siem/actions-scripts"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// The names of our actions, which are those of their functions.
const (
	LogName     = "post_auth_log"
	WebhookName = "post_auth_webhook"
)

// The time limits that actions-scripts/README.md gives: the log script needs some
// milliseconds, and the login waits for the other one.
const (
	logTimeout     = time.Second
	webhookTimeout = 2 * time.Second
)

// Log is the action that prints.
func Log() zitadel.Script {
	return zitadel.Script{Name: LogName, Source: actionsscripts.PostAuthLog, Timeout: logTimeout, AllowedToFail: true}
}

// Webhook is the action that sends to the endpoint, with the key.
func Webhook(endpoint *url.URL, key config.Secret) zitadel.Script {
	source := setVariable(endpointVariable, actionsscripts.PostAuthWebhook, endpoint.String())
	source = setVariable(keyVariable, source, key.Reveal())
	return zitadel.Script{Name: WebhookName, Source: source, Timeout: webhookTimeout, AllowedToFail: true}
}

// The lines of post_auth_webhook.js that its user sets.
var (
	endpointVariable = regexp.MustCompile(`(?m)^var ENDPOINT = ("(?:[^"\\\n]|\\.)*");`)
	keyVariable      = regexp.MustCompile(`(?m)^var KEY = ("(?:[^"\\\n]|\\.)*");`)
)

// variable returns the value of a line; false if there is none that can be read.
func variable(line *regexp.Regexp, source string) (value string, ok bool) {
	m := line.FindStringSubmatch(source)
	return value, m != nil && json.Unmarshal([]byte(m[1]), &value) == nil
}

func setVariable(line *regexp.Regexp, source, value string) string {
	text, err := json.Marshal(value) // a JSON string is one of JavaScript
	at := line.FindStringSubmatchIndex(source)
	if err != nil || at == nil { // a test looks
		panic("scripts: post_auth_webhook.js has no line " + line.String())
	}
	return source[:at[2]] + string(text) + source[at[3]:]
}

// origin says what the script of an action is to a run.
type origin int

const (
	foreign  origin = iota
	edited          // ours, changed by somebody, or from before the scripts had versions
	unedited        // ours, of this version or an earlier one
	newer           // ours, of a later version
)

// originOf looks at a script for an action of that name. The parts that it looks for are in
// every version.
func originOf(name, source string) origin {
	if !strings.Contains(source, "function "+name+"(ctx, api)") || !strings.Contains(source, "function postAuthMessage(ctx)") ||
		!strings.Contains(source, `"post_auth_log":1`) {
		return foreign
	}
	switch seal, ok := actionsscripts.ReadSeal(source); {
	case ok && seal.Version > actionsscripts.Version:
		return newer
	case ok && seal.Intact:
		return unedited
	}
	return edited
}

func isOurs(name, source string) bool { return originOf(name, source) != foreign }

// same compares sources as the console may have stored them.
func same(a, b string) bool { return plain(a) == plain(b) }

func plain(source string) string { return strings.TrimSpace(strings.ReplaceAll(source, "\r\n", "\n")) }

// current returns what an action with our script should be: for the webhook, with the
// endpoint and the key that it has. It returns false if these cannot be read.
func current(s zitadel.Script) (zitadel.Script, bool) {
	if s.Name == LogName {
		return Log(), true
	}
	endpoint, ok := variable(endpointVariable, s.Source)
	key, hasKey := variable(keyVariable, s.Source)
	at, err := url.Parse(endpoint)
	if !ok || !hasKey || err != nil || at.String() != endpoint {
		return zitadel.Script{}, false
	}
	return Webhook(at, config.Secret(key)), true
}

// ParseEndpoint reads the URL that the webhook script posts to. insecure allows http to
// any host.
func ParseEndpoint(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil { // the error would repeat a password
		return nil, errors.New("endpoint: is not a URL")
	}
	const example = "for example https://siem.example.com:8443/zitadel/post-auth"
	switch {
	case text == "":
		return nil, errors.New("endpoint: is missing: " + example)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, errors.New("endpoint: has user info, a query or a fragment: give scheme, host and path, " + example)
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("endpoint: has no scheme https, or no host: " + example)
	case strings.Trim(u.Path, "/") == "":
		return nil, errors.New("endpoint: has no path; its first part is the name of the file in webhook_v1_dir that holds the key: " + example)
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return nil, fmt.Errorf("endpoint: the key and every login would travel unencrypted to %s: use https, or set insecure on", u.Host)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// placeholder is the key of the script as it is delivered. The script sends nothing then.
const placeholder = "CHANGE-ME"

// ReadKey returns the last key of a file, which is the newest where a key is being
// changed. The file may be the one of webhook_v1_dir. A warning says that others can read it.
func ReadKey(path string) (key config.Secret, warning string, err error) {
	keys, mode, err := keyfile.Kind(keyfile.Secret).Read(path)
	if err != nil {
		return "", "", fmt.Errorf("key file %q %w", path, err)
	}
	if exposed := keyfile.Exposed(mode); exposed != "" {
		warning = fmt.Sprintf("key file %q %s: chmod 600 %s", path, exposed, config.ShellWord(path))
	}
	return config.Secret(keys[len(keys)-1]), warning, nil
}

// CheckKey returns an error for a key that our endpoint would refuse.
func CheckKey(key config.Secret) error {
	if key.Reveal() == placeholder {
		return errors.New("is the placeholder of the script: use one of your own, such as the output of openssl rand -base64 32")
	}
	return keyfile.Kind(keyfile.Secret).Check([]byte(key.Reveal()))
}
