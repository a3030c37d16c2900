package schema_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// cefLimits are the lengths that the standard allows; other keys are custom.
var cefLimits = map[string]int{
	"act": 63, "outcome": 63, "reason": 1023, "cat": 1023, "suid": 1023, "suser": 1023, "duid": 1023, "duser": 1023, "dpriv": 1023, "externalId": 40, "deviceExternalId": 255, "dvchost": 100,
	"msg": 1023, "requestClientApplication": 1023, "requestMethod": 1023, "request": 1023, "dhost": 255, "shost": 1023, "cs1": 4000, "cs2": 4000, "cs3": 4000, "cs4": 4000, "cs5": 4000, "cs6": 4000, "src": 15, "c6a2": 39,
	"c6a2Label": 1023, "cs1Label": 1023, "cs2Label": 1023, "cs3Label": 1023, "cs4Label": 1023, "cs5Label": 1023, "cs6Label": 1023, "cn1Label": 1023,
}

// oneLine reports what no line may hold: line ends, control characters, and
// what is not UTF-8.
func oneLine(s string, tabs bool) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not UTF-8")
	}
	for _, r := range s {
		if r < 0x20 && (r != '\t' || !tabs) || 0x7f <= r && r < 0xa0 || 0x200b <= r && r <= 0x200f || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || r == 0xfeff {
			return fmt.Errorf("it holds %U", r)
		}
	}
	return nil
}

// parseCEF is a strict reader: it takes nothing that the standard does not allow.
func parseCEF(s string) (map[string]string, error) {
	if err := oneLine(s, false); err != nil {
		return nil, err
	}
	m := map[string]string{}
	header := []string{"version", "vendor", "product", "productVersion", "class", "name", "severity"}
	limits := []int{5, 63, 63, 31, 1023, 512, 2}
	for i, key := range header {
		var v strings.Builder
		j := 0
		for ; j < len(s) && s[j] != '|'; j++ {
			if s[j] == '\\' {
				if j++; j == len(s) || s[j] != '|' && s[j] != '\\' {
					return nil, fmt.Errorf("%s: a backslash escapes nothing", key)
				}
			}
			v.WriteByte(s[j])
		}
		if j == len(s) {
			return nil, errors.New("the header has too few fields")
		}
		if v.Len() == 0 && key != "class" {
			return nil, fmt.Errorf("%s is empty", key)
		}
		if v.Len() > limits[i] {
			return nil, fmt.Errorf("%s is too long", key)
		}
		m["header "+key] = v.String()
		s = s[j+1:]
	}
	if m["header version"] != "CEF:0" {
		return nil, errors.New("it does not begin with CEF:0")
	}
	if n, err := strconv.Atoi(m["header severity"]); err != nil || n < 0 || n > 10 {
		return nil, errors.New("severity is not 0 to 10")
	}
	// A key is what stands between a space and an equals sign that no backslash
	// escapes.
	for s != "" {
		key, rest, found := strings.Cut(s, "=")
		if !found || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return nil, fmt.Errorf("%.40q is no key", s)
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("%s stands twice", key)
		}
		var v strings.Builder
		end, lastSpace := 0, -1
		lastLen := 0
		for ; end < len(rest) && rest[end] != '='; end++ {
			c := rest[end]
			switch {
			case c == '\\':
				end++
				if end == len(rest) {
					return nil, fmt.Errorf("%s ends in a backslash", key)
				}
				switch rest[end] {
				case '\\', '=':
					c = rest[end]
				case 'n':
					c = '\n'
				case 'r':
					c = '\r'
				default:
					return nil, fmt.Errorf("%s: \\%c is no escape", key, rest[end])
				}
			case c == ' ':
				lastSpace, lastLen = end, v.Len()
			}
			v.WriteByte(c)
		}
		value := v.String()
		if s = ""; end < len(rest) { // the next key was read as part of the value
			if lastSpace < 0 {
				return nil, fmt.Errorf("%s: an equals sign is not escaped", key)
			}
			value, s = value[:lastLen], rest[lastSpace+1:]
		}
		if value == "" || value[0] == ' ' || value[len(value)-1] == ' ' {
			return nil, fmt.Errorf("%s is %.40q", key, value)
		}
		limit, known := cefLimits[key]
		if !known && key != "rt" && key != "cn1" && !strings.HasPrefix(key, "ZITADEL") {
			return nil, fmt.Errorf("%s is no key of the standard", key)
		}
		if known && len(value) > limit {
			return nil, fmt.Errorf("%s has %d bytes, %d are allowed", key, len(value), limit)
		}
		m[key] = value
	}
	return m, nil
}

// parseLEEF is a strict reader of LEEF 2.0.
func parseLEEF(s string) (map[string]string, error) {
	if err := oneLine(s, true); err != nil {
		return nil, err
	}
	parts := strings.SplitN(s, "|", 7)
	if len(parts) != 7 || parts[0] != "LEEF:2.0" || parts[5] != "x09" {
		return nil, errors.New("the header is not that of LEEF 2.0")
	}
	m := map[string]string{}
	for i, key := range []string{"vendor", "product", "version", "id"} {
		v := parts[i+1]
		if v == "" && key != "id" || strings.Contains(v, "\t") || len(v) > 255 {
			return nil, fmt.Errorf("%s is %.40q", key, v)
		}
		m["header "+key] = v
	}
	for entry := range strings.SplitSeq(parts[6], "\t") {
		key, v, found := strings.Cut(entry, "=")
		if !found || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return nil, fmt.Errorf("%.40q is no entry", entry)
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("%s stands twice", key)
		}
		limit := 4000
		switch key {
		case "usrName", "accountName", "role", "policy", "resource":
			limit = 255
		}
		if v == "" || len(v) > limit {
			return nil, fmt.Errorf("%s has %d bytes", key, len(v))
		}
		m[key] = v
	}
	if n, err := strconv.Atoi(m["sev"]); err != nil || n < 1 || n > 10 {
		return nil, errors.New("sev is not 1 to 10")
	}
	if n := len(m["devTime"]); n != 10 && n != 13 {
		return nil, errors.New("devTime needs a format")
	}
	return m, nil
}

func TestLines_ParsersRejectWrongLines(t *testing.T) {
	head := "CEF:0|v|p|1|c|n|3|"
	for _, s := range []string{
		"", "CEF:0|v|p|1|c|n|", "CEF:2|v|p|1|c|n|3|", "CEF:0||p|1|c|n|3|", "CEF:0|v|p|1|c|n|11|", "CEF:0|v|p|1|c\\x|n|3|", head + "act", head + "act=", head + "act= a", head + "act=a ", head + "act=a=b",
		head + "act=a act=b", head + "a_b=c", head + "act=a\\", head + "act=a\\t", head + "act=a\nb", head + "act=\xff", head + "act=\x1b[0m", head + "act=\u202e", head + "wrong=a",
		head + "act=" + strings.Repeat("a", 64), "CEF:0|" + strings.Repeat("v", 64) + "|p|1|c|n|3|", head + "act=a suid=x\\",
	} {
		if m, err := parseCEF(s); err == nil {
			t.Errorf("%q is taken: %v", s, m)
		}
	}
	if m, err := parseCEF(head + `act=a\=b c\\ suid=1|2 msg=x\ny`); err != nil || m["act"] != `a=b c\` || m["suid"] != "1|2" || m["msg"] != "x\ny" {
		t.Error(m, err)
	}
	head = "LEEF:2.0|v|p|1|id|x09|devTime=1783000000123\tsev=3"
	for _, s := range []string{
		"", "LEEF:1.0|v|p|1|id|x09|sev=3", "LEEF:2.0|v|p|1|id|devTime=1783000000123", head + "\tx", head + "\tsev=4", head + "\t=x", head + "\tx=", head + "\tx=a\nb", head + "\tx=\x00",
		head + "\tusrName=" + strings.Repeat("a", 256), head + "\ta b=c", "LEEF:2.0|v|p|1|id|x09|devTime=2026\tsev=3", "LEEF:2.0|v|p|1|id|x09|devTime=1783000000123\tsev=0",
	} {
		if m, err := parseLEEF(s); err == nil {
			t.Errorf("%q is taken: %v", s, m)
		}
	}
	if m, err := parseLEEF(head + "\tx=a=b|c"); err != nil || m["x"] != "a=b|c" {
		t.Error(m, err)
	}
}

func TestLines_EverythingIsValid(t *testing.T) {
	cef, leef := schema.NewWriter(schema.Options{Format: schema.CEF}), schema.NewWriter(schema.Options{Format: schema.LEEF})
	everything(t, func(name string, a *schema.Activity) {
		if m, err := parseCEF(string(cef.AppendLine(nil, a))); err != nil || m["rt"] == "" {
			t.Errorf("%s: %v: %s", name, err, cef.AppendLine(nil, a))
		}
		if m, err := parseLEEF(string(leef.AppendLine(nil, a))); err != nil || m["devTime"] == "" {
			t.Errorf("%s: %v: %s", name, err, leef.AppendLine(nil, a))
		}
	})
}
