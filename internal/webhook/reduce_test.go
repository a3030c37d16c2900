package webhook_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// sent gives one signed payload to an endpoint.
func sent(t *testing.T, bodies bool, payload string) webhook.Message {
	t.Helper()
	w := newWorld(t, func(o *webhook.Options) { o.Bodies = bodies })
	w.want(t, payload, w.signed("t", payload), 200, 0)
	noSecrets(t, w.spool.text())
	return w.spool.one(t)
}

// eventRecord is the record that a reader makes of an event.
func eventRecord(e *webhook.Event) record.Event {
	r := events.FromEvent(e.Event, "demo", e.Received)
	r.Source = webhook.Source
	return r
}

func deliveryOf(m webhook.Message) webhook.Delivery {
	switch m := m.(type) {
	case *webhook.Event:
		return m.Delivery
	case *webhook.Login:
		return m.Delivery
	}
	return m.(*webhook.Execution).Delivery
}

// What has no known form passes through, marked, without its content.
func TestUnknown_PassesMarked(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for _, payload := range []string{
		"", "x", "null", "[]", `"Passw0rd!x"`, "{}", `{"password":"Passw0rd!x"}`, "{", event + "x", event + event, "\xff", `{"fullMethod":1,"request":{"password":"Passw0rd!x"}}`,
		strings.Replace(event, `"sequence":4`, `"sequence":-4`, 1), strings.Replace(event, `"sequence":4`, `"sequence":4.5`, 1), strings.Replace(event, `"sequence":4`, `"sequence":"4"`, 1), strings.Replace(event, `"sequence":4`, `"sequence":18446744073709551616`, 1),
		strings.Replace(event, `"sequence":4`, `"sequence":4,"sequence":5`, 1), strings.Replace(event, `"aggregateID":"1"`, `"aggregateID":""`, 1), strings.Replace(event, `"aggregateID":"1"`, `"AggregateID":"1"`, 1),
		strings.Replace(event, `"event_type"`, `"event_payload":`+deep+`,"event_type"`, 1), strings.Replace(event, `"event_type"`, `"event_payload":{"n":1e999},"event_type"`, 1),
	} {
		x, ok := sent(t, true, payload).(*webhook.Execution)
		if !ok || x.Kind != webhook.KindUnknown || x.Size != len(payload) || x.Body != nil {
			t.Errorf("%.80q: %+v", payload, x)
		}
		if r := x.Record("demo"); r.Type != "api.unknown" || r.ID() != "demo/webhook/"+x.ID+"/0" {
			t.Errorf("%+v", r)
		}
	}
}

// Whoever has the key of a target must not fill the reader's memory and state with names.
func TestEvent_NamesThatAreTooLongMakeNoEvent(t *testing.T) {
	for _, field := range []string{"aggregateID", "aggregateType", "event_type", "resourceOwner", "userID", "instanceID"} {
		for n, unknown := range map[int]bool{200: false, 201: true, 100_000: true} {
			before, rest, _ := strings.Cut(event, `"`+field+`":"`)
			_, after, _ := strings.Cut(rest, `"`)
			w := newWorld(t, nil)
			w.want(t, field, w.signed("t", before+`"`+field+`":"`+strings.Repeat("x", n)+`"`+after), 200, 0)
			x, ok := w.spool.one(t).(*webhook.Execution)
			if ok != unknown || ok && x.Kind != webhook.KindUnknown || (w.Stats.Unknown.Load() == 1) != unknown {
				t.Errorf("%s of %d bytes: %+v", field, n, x)
			}
		}
	}
}

// An odd payload or time is kept, marked; a sequence is exact.
func TestEvent_Odd(t *testing.T) {
	for _, c := range []struct {
		payload, want string
		odd           bool
	}{
		{`null`, ``, false}, {`{}`, `"payload":{}`, false}, {`{"a":{"b":[1,null]}}`, `"payload":{"a":{"b":[1,null]}}`, false},
		{`"text"`, `"payload":{"event_payload":"text"}`, true}, {`[1]`, `"payload":{"event_payload":[1]}`, true}, {`7`, `"payload":{"event_payload":7}`, true},
	} {
		e, ok := sent(t, false, strings.Replace(event, `"event_type"`, `"event_payload":`+c.payload+`,"event_type"`, 1)).(*webhook.Event)
		if !ok || e.Odd != c.odd {
			t.Fatalf("%s: %+v", c.payload, e)
		}
		r := eventRecord(e)
		if line := string(record.AppendJSON(nil, &r)); !strings.Contains(line, c.want) || strings.Contains(line, "payload") != (c.want != "") {
			t.Errorf("%s: %s", c.payload, line)
		}
	}
	e := sent(t, false, strings.Replace(event, `"sequence":4`, fmt.Sprint(`"sequence":`, uint64(math.MaxUint64)), 1)).(*webhook.Event)
	if r := eventRecord(e); r.ID() != "demo/user/1/18446744073709551615" || !r.Time.Equal(time.Date(2026, 11, 22, 9, 29, 34, 992299000, time.UTC)) || r.Read.IsZero() {
		t.Errorf("%+v", r)
	}
	e = sent(t, false, strings.Replace(event, `2026-11-22T09`, `2026-11-22T99`, 1)).(*webhook.Event)
	if r := eventRecord(e); !e.Odd || !r.Time.IsZero() {
		t.Errorf("%+v", r)
	}
}

// Secrets do not reach the disk: of events they are redacted by type, key and shape, of API calls also
// when bodies are asked for.
func TestSecrets_DoNotReachTheDisk(t *testing.T) {
	e := sent(t, false, strings.Replace(strings.Replace(event, "user.locked", "user.human.password.changed", 1), `"event_type"`,
		`"event_payload":{"encodedHash":"$2a$14$abcdefghijklmnopqrstuv","secret":{"CryptoType":0,"Algorithm":"aes","KeyID":"k","Crypted":"eyJ"},"userAgentID":"7"},"event_type"`, 1)).(*webhook.Event)
	if line := fmt.Sprint(e.Event); !strings.Contains(line, "[REDACTED]") || !strings.Contains(line, "userAgentID") {
		t.Error(line)
	}
	for _, payload := range []string{
		`{"fullMethod":"/zitadel.session.v2.SessionService/CreateSession","userID":"5","request":{"checks":{"password":{"password":"Passw0rd!x"},"user":{"loginName":"alice"}}},"headers":{"Authorization":["Bearer eyJhbGciOi.eyJhbGciOi.c2ln"],"cookie":["zitadel.useragent=x"],"user-agent":["curl/8 Bearer eyJhbGciOi.eyJhbGciOi.c2ln"],"X-Forwarded-For":["1.2.3.4","5.6.7.8, 9.9.9.9"]}}`,
		`{"fullMethod":"/zitadel.user.v2.UserService/SetUserMetadata","request":{"metadata":[{"key":"a","value":"dmFs"},{"key":"b","value":"Passw0rd!x"}]}}`,
		`{"fullMethod":"/x/Y","request":{"code":"Passw0rd!x","clientSecret":"Passw0rd!x"},"response":{"sessionToken":"Passw0rd!x"},"error":{"code":3,"message":"password: Passw0rd!x"}}`,
		`{"function":"function/preaccesstoken","user":{"id":"5","human":{"hashed_password":"$2a$14$x"}},"userinfo":{"at":"eyJhbGciOi"},"logs":["Passw0rd!x"]}`,
	} {
		for _, bodies := range []bool{false, true} {
			x := sent(t, bodies, payload).(*webhook.Execution)
			r := x.Record("demo")
			line := string(record.AppendJSON(nil, &r))
			noSecrets(t, line)
			if strings.Contains(line, "alice") && !bodies {
				t.Error("a body that nobody asked for:", line)
			}
			if strings.Contains(payload, "CreateSession") && (x.ForwardedFor != "5.6.7.8, 9.9.9.9" || x.UserID != "5" || bodies != strings.Contains(line, "alice")) {
				t.Errorf("%s", line)
			}
		}
	}
	long := sent(t, false, `{"fullMethod":"`+strings.Repeat("é", 5000)+`"}`).(*webhook.Execution)
	if n := len(long.Method); n > 512 || n < 500 || !strings.HasSuffix(long.Method, "é") {
		t.Errorf("%d bytes", n)
	}
}

// The same request has the same id after a restart, so that a SIEM keeps one.
func TestExecution_IDIsStable(t *testing.T) {
	const call = `{"fullMethod":"/x/Y","request":{}}`
	a, b, other := sent(t, false, call).(*webhook.Execution), sent(t, false, call).(*webhook.Execution), sent(t, false, call+" ").(*webhook.Execution)
	if a.ID != b.ID || a.ID == other.ID {
		t.Errorf("%s %s %s", a.ID, b.ID, other.ID)
	}
}

// Whatever is in the spool, Decode gives a message or an error; what it gives can be encoded.
func FuzzDecode(f *testing.F) {
	w := newWorld(f, func(o *webhook.Options) { o.Bodies = true })
	for _, payload := range []string{event, `{"fullMethod":"/x/Y","request":{"a":1}}`, "x"} {
		w.want(f, payload, w.signed("t", payload), 200, 0)
	}
	w.want(f, "login", w.login(`{"post_auth_log":1,"outcome":"success"}`, testSecret), 200, 0)
	for _, e := range w.spool.entries {
		f.Add(e)
		f.Add(e[:len(e)-1])
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		m, err := webhook.Decode(entry)
		if (m == nil) == (err == nil) {
			t.Fatal(m, err)
		}
		switch m := m.(type) {
		case *webhook.Event:
			r := eventRecord(m)
			record.AppendJSON(nil, &r)
		case *webhook.Execution:
			r := m.Record("demo")
			record.AppendJSON(nil, &r)
		}
	})
}

// A signed payload of any bytes is accepted and can be read back.
func FuzzPayload(f *testing.F) {
	f.Add(event)
	f.Add(strings.Replace(event, `"event_type"`, `"event_payload":{"password":"x"},"event_type"`, 1))
	f.Add(`{"fullMethod":"/x/Y","request":{"a":[1]},"headers":{"user-agent":["x"]}}`)
	f.Add(`{"function":"f","user":{"id":"1"}}`)
	f.Add("eyJhbGciOi.eyJhbGciOi.c2ln")
	w := newWorld(f, func(o *webhook.Options) { o.Bodies = true })
	f.Fuzz(func(t *testing.T, payload string) {
		w.spool.entries = nil
		w.now = w.now.Add(time.Second)
		others := w.Stats.Refused(webhook.OtherInstance)
		status := w.do(w.signed("t", payload))
		if w.Stats.Refused(webhook.OtherInstance) > others {
			return
		}
		if status != 200 && status != 401 || status == 401 && strings.Count(payload, ".") < 2 {
			t.Fatalf("status %d", status)
		}
		for _, m := range w.spool.messages(t) {
			d := deliveryOf(m)
			if d.Target != "t" || !d.Received.Equal(w.now) {
				t.Fatalf("%+v", d)
			}
		}
	})
}

// ZITADEL's gateway puts the true header behind one that a client sends as
// Grpc-Metadata-X-Forwarded-For (measured with a real one).
func TestForgery_AClientPutsNoAddressBeforeTheGateways(t *testing.T) {
	for headers, want := range map[string]string{
		`"X-Forwarded-For":["203.0.113.7, 127.0.0.1"]`:                "203.0.113.7, 127.0.0.1",
		`"x-forwarded-for":["198.51.100.1","203.0.113.7, 127.0.0.1"]`: "203.0.113.7, 127.0.0.1",
		`"x-forwarded-for":["198.51.100.1"],"X-Forwarded-For":["1"]`:  "", // not seen; nobody says which is true
		`"X-Forwarded-For":[]`:  "",
		`"X-Forwarded-For":[1]`: "",
	} {
		x := sent(t, false, `{"fullMethod":"/a.B/C","userID":"5","request":{},"headers":{`+headers+`}}`).(*webhook.Execution)
		if x.ForwardedFor != want {
			t.Errorf("%s: %q", headers, x.ForwardedFor)
		}
	}
}

// A list that is too long loses its beginning, which the client chose, and not the address that
// the proxies wrote.
func TestForgery_ALongListKeepsTheAddressOfTheProxies(t *testing.T) {
	for n := range 120 {
		list := strings.Repeat("9", n%11) + strings.Repeat("198.51.100.1, ", n) + "203.0.113.7, 127.0.0.1"
		x := sent(t, false, `{"fullMethod":"/a.B/C","userID":"5","request":{},"headers":{"X-Forwarded-For":["`+list+`"]}}`).(*webhook.Execution)
		if got := schema.Forwarded(x.ForwardedFor).String(); got != "203.0.113.7" || !strings.HasSuffix(list, x.ForwardedFor) || len(x.ForwardedFor) > 512 {
			t.Errorf("%d: %s of %q", n, got, x.ForwardedFor)
		}
	}
	x := sent(t, false, `{"fullMethod":"/a.B/C","headers":{"X-Forwarded-For":["`+strings.Repeat("é", 600)+`"]}}`).(*webhook.Execution)
	if x.ForwardedFor != "" {
		t.Errorf("%q", x.ForwardedFor)
	}
}

// The latest date of a response is that of the change, wherever it stands.
func TestChangeDate_IsTheLatestThatAResponseNames(t *testing.T) {
	for response, want := range map[string]string{
		`{"details":{"changeDate":"2026-11-22T09:30:01.455019Z","creationDate":"2026-11-21T09:30:01Z"}}`: "2026-11-22T09:30:01.455019Z",
		`{"id":"1","creationDate":"2026-11-22T09:30:01.455019Z"}`:                                        "2026-11-22T09:30:01.455019Z",
		`{"setDate":"2026-11-22T10:30:01.5+01:00"}`:                                                      "2026-11-22T09:30:01.5Z",
		`{"expirationDate":"2027-11-22T09:30:01Z","user":{"changeDate":"2026-11-22T09:30:01Z"}}`:         "0001-01-01T00:00:00Z",
		`{"details":{"changeDate":"yesterday"}}`:                                                         "0001-01-01T00:00:00Z",
		`[]`:                                                                                             "0001-01-01T00:00:00Z",
		`null`:                                                                                           "0001-01-01T00:00:00Z",
	} {
		x := sent(t, false, `{"fullMethod":"/a.B/C","userID":"5","request":{},"response":`+response+`}`).(*webhook.Execution)
		if got := x.ChangeDate.Format(time.RFC3339Nano); got != want || x.Kind != webhook.KindResponse {
			t.Errorf("%s: %s %s", response, got, x.Kind)
		}
	}
}
