package document_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// both writes a document in both encodings, and returns it as each decoder reads it.
func both(t *testing.T, write func(*document.Doc)) (packed, line any) {
	t.Helper()
	var d document.Doc
	d.Reset([]byte("before"), document.Msgpack)
	write(&d)
	b := d.Bytes()
	packed, rest, err := msgp.ReadIntfBytes(b[len("before"):])
	if err != nil || len(rest) > 0 || !bytes.HasPrefix(b, []byte("before")) {
		t.Fatalf("msgpack: %v, %d bytes behind it: %q", err, len(rest), b)
	}
	d.Reset(nil, document.JSON)
	write(&d)
	if err := json.Unmarshal(d.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	return packed, line
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDoc_IsTheSameInBothEncodings(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	fragments := map[document.Format]*document.Fragment{}
	for _, f := range []document.Format{document.Msgpack, document.JSON} {
		fragments[f] = document.NewFragment(f, func(d *document.Doc) {
			d.Text("f1", "v")
			d.Map("f2")
			d.Bool("x", true)
			d.End()
		})
	}
	packed, line := both(t, func(d *document.Doc) {
		d.Map("")
		d.Optional("gone")
		d.Optional("gone too")
		d.End()
		d.End()
		d.Text("text", "a\"\n\xffb")
		d.Some("none", "")
		d.TextBytes("bytes", []byte("x"))
		d.List("list")
		d.Map("")
		d.Uint("n", 1<<63)
		d.End()
		d.Text("", "second")
		d.OptionalList("")
		d.End()
		d.List("")
		d.End()
		d.End()
		d.Number("float", 1.5)
		d.Number("nan", math.NaN())
		d.Time("time", at)
		d.TimeNano("nano", at)
		d.Time("never", time.Time{})
		d.Millis("millis", at)
		d.Paste(fragments[d.Format()])
		d.Map("payload")
		d.Key("\n")
		d.Map("ignored")
		d.Key("\xff")
		d.Number("", 1.5)
		d.Null("after a foreign key")
		d.End()
		d.Key("b")
		d.List("")
		d.Null("")
		d.Bool("", true)
		d.End()
		d.End()
		d.Map("counts")
		d.Key("a\"b")
		d.Uint("", 7)
		d.Key("second")
		d.Text("", "")
		d.End()
		d.End()
	})
	want := `{"bytes":"x","counts":{"a\"b":7,"second":""},"f1":"v","f2":{"x":true},"float":1.5,"list":[{"n":9223372036854775808},"second",[]],"millis":1767323045678,"nan":"NaN",` +
		`"nano":"2026-01-02T03:04:05.678901234Z","payload":{"\n":{"after a foreign key":null,"` + "\uFFFD" + `":1.5},"b":[null,true]},"text":"a\"\n` + "\uFFFD" + `b","time":"2026-01-02T03:04:05.678901Z"}`
	if got := asJSON(t, packed); got != want {
		t.Errorf("msgpack:\n%s\n%s", got, want)
	}
	if got := asJSON(t, line); got != strings.Replace(want, "9223372036854775808", "9223372036854776000", 1) {
		t.Errorf("JSON:\n%s\n%s", got, want)
	}
}

// A foreign key comes with its value or not at all.
func TestDoc_AKeyVanishesWithItsValue(t *testing.T) {
	packed, line := both(t, func(d *document.Doc) {
		d.Map("")
		for _, name := range []string{"first", "last"} {
			d.Key("some\n")
			d.Some("", "")
			d.Key("time\n")
			d.Time("", time.Time{})
			d.Key("nano\n")
			d.TimeNano("", time.Time{})
			d.Key("map\n")
			d.Optional("")
			d.Key("nested\n")
			d.Some("", "")
			d.End()
			d.Key("list\n")
			d.OptionalList("")
			d.End()
			d.Text(name, "v")
		}
		d.Key("at the end")
		d.OptionalList("")
		d.End()
		d.End()
	})
	for _, v := range []any{packed, line} {
		if got := asJSON(t, v); got != `{"first":"v","last":"v"}` {
			t.Error(got)
		}
	}
}

// The headers of maps and lists have three sizes.
func TestDoc_HeadersFitAnyCount(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 65535, 65536, 70000} {
		packed, line := both(t, func(d *document.Doc) {
			d.Map("")
			d.List("list")
			for range n {
				d.Bool("", true)
			}
			d.End()
			d.Map("map")
			for i := range n {
				d.Uint(strings.Repeat("k", i%40)+time.Duration(i).String(), uint64(i))
			}
			d.End()
			d.Text("behind", "x")
			d.End()
		})
		for _, v := range []any{packed, line} {
			m := v.(map[string]any)
			if len(m["list"].([]any)) != n || len(m["map"].(map[string]any)) != n || m["behind"] != "x" {
				t.Errorf("%d: %d and %d entries", n, len(m["list"].([]any)), len(m["map"].(map[string]any)))
			}
		}
	}
}

func TestDoc_AllocatesNothing(t *testing.T) {
	var d document.Doc
	buf := make([]byte, 0, 1<<16)
	if n := testing.AllocsPerRun(100, func() {
		d.Reset(buf, document.Msgpack)
		d.Event(time.Unix(1, 2))
		d.Map("")
		for range 40 {
			d.Text("k", "v")
		}
		d.Key("p\n")
		d.List("")
		d.End()
		d.End()
		d.Bytes()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLines_AreEscapedAndBounded(t *testing.T) {
	var c document.CEF
	c.Reset([]byte("x "), "v|", `p\`, "1\n2", strings.Repeat("c", 2000), "\u202en", 3)
	if c.Field("empty", "", 10) || c.Field("blank", " \t ", 10) {
		t.Error("an empty field is written")
	}
	c.Field("a", " x=\\\n\r\t| ", 100)
	c.Int("n", -1)
	c.Field("b", "ééé", 5)
	want := `x CEF:0|v\||p\\|1 2|` + strings.Repeat("c", 1023) + "|\uFFFDn|3|" + `a=x\=\\\n\r | n=-1 b=éé`
	if got := string(c.Bytes()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var l document.LEEF
	l.Reset(nil, "v|", "p", "1", strings.Repeat("é", 200))
	l.Field("empty", " ", 10)
	l.Field("a", "x=\ty|\nz\x00", 100)
	l.Int("n", 7)
	want = "LEEF:2.0|v_|p|1|" + strings.Repeat("é", 127) + "|x09|a=x= y| z\uFFFD\tn=7"
	if got := string(l.Bytes()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
