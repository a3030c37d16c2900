package parser

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// A time has as many digits as a user name likes. What is read is what the
// standard library reads, up to nanoseconds.
func TestNoPanic_TimesOfEveryLength(t *testing.T) {
	t.Parallel()
	for _, whole := range []string{"2026-11-22T09:24:58", "2024-02-29T23:59:59", "2026-02-29T00:00:00", "2026-04-31T00:00:00", "2026-12-00T00:00:00", "0000-01-01T00:00:00", "2026-11-22T24:00:00"} {
		for _, zone := range []string{"Z", "+00:00", "-23:59", "+0000", "z", ""} {
			for n := range 60 {
				s := whole + "." + strings.Repeat("7", n) + zone
				got, ok := parseTime([]byte(s))
				want, err := time.Parse(time.RFC3339Nano, s)
				if wanted := err == nil && n <= 9; ok && (!wanted || !got.Equal(want)) || !ok && wanted {
					t.Errorf("%s: %v, %v", s, got, ok)
				}
			}
			if _, err := time.Parse(time.RFC3339Nano, whole+zone); err == nil {
				if got, ok := parseTime([]byte(whole + zone)); !ok || got.Format(time.RFC3339Nano) != whole+zone && zone == "Z" {
					t.Errorf("%s: %v, %v", whole+zone, got, ok)
				}
			}
		}
	}
}

// A panic costs its own line and no other: it is counted and comes out as malformed.
func TestNoPanic_OneLineIsMalformed(t *testing.T) {
	var told []any
	p := New(Options{Instance: "prod", Panicked: func(v any) { told = append(told, v) }})
	good := []byte(`time="x" level=info msg="log record emitted" record="{\"logDate\":\"2026-11-22T09:24:58Z\",\"took\":0,\"message\":\"m\",\"logLevel\":\"info\",\"instanceId\":\"1\"}"`)
	of := loginFields[1].of
	loginFields[1].of = func(*Login) *string { panic("a fault") }
	defer func() { loginFields[1].of = of }()
	bad := []byte(strings.Replace(string(good), `"m\"`, `"{\\\"post_auth_log\\\":1,\\\"outcome\\\":\\\"success\\\"}\"`, 1))
	var r Record
	if !p.Parse(bad, &r) || r.Kind != Malformed || r.Instance != "prod" || r.Trust != TrustNone || !reflect.DeepEqual(told, []any{"a fault"}) {
		t.Errorf("%+v, told %v", r, told)
	}
	if !p.Parse(good, &r) || r.Kind != Log || r.Message != "m" || p.Counts()[Malformed] != 1 || p.Counts()[Log] != 1 {
		t.Errorf("the next line: %+v, counts %v", r, p.Counts())
	}
}
