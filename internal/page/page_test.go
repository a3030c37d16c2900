package page

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// ask gets path as a client with this address and this Host header.
func ask(s State, path, remote, host string) *http.Response {
	mux := http.NewServeMux()
	Handle(mux, func() State { return s })
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr, r.Host = remote, host
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

// render is the page as a browser on this machine gets it.
func render(t *testing.T, s State) string {
	t.Helper()
	resp := ask(s, "/", "127.0.0.1:5000", "localhost:9464")
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err, string(text))
	}
	return string(text)
}

// full is a state with something in every list. mark stands in every text.
func full(mark string) State {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	h := &History{}
	for i := range 4 {
		h.Add(now.Add(time.Duration(i)*Interval), uint64(i*i))
	}
	return State{
		Now: now, Began: now.Add(-time.Hour), Version: mark, Detects: true,
		Sources: []Source{
			{Instance: mark, From: mark, To: mark, Doing: "reading", Lag: time.Second, History: h, Answered: now, Swept: now.Add(-time.Hour), Late: 3,
				Webhooks: &Webhooks{Address: mark, Unknown: 1, Refused: 1, Reasons: map[string]uint64{mark: 1}}},
			{Instance: mark, Level: Failing, Doing: "failing", Lag: -1, Buffered: 1_300_000, History: new(History), Webhooks: &Webhooks{}},
		},
		Problems: []Problem{{Level: Notice, Source: mark, What: mark, Fix: mark}, {Level: Failing, Source: mark, What: mark, Since: now, Fix: mark}},
		Messages: []Message{{At: now, Level: Failing, Instance: mark, Text: mark, Fix: mark}, {At: now, Level: Warning, Text: mark}},
		Alerts:   []Alert{{At: now, Instance: mark, Severity: mark, Rule: mark, Who: mark, Whom: mark, From: mark, Events: 3}},
	}
}

func TestOnlyThisMachineGetsThePage(t *testing.T) {
	for _, c := range []struct {
		remote, host string
		want         int
	}{
		{"127.0.0.1:5000", "localhost:9464", 200},
		{"127.0.0.1:5000", "LOCALHOST", 200},
		{"127.0.0.1:5000", "127.0.0.1:9464", 200},
		{"127.8.9.1:5000", "127.0.0.1", 200},
		{"[::1]:5000", "[::1]:9464", 200},
		{"[::1]:5000", "[::1]", 200},
		{"[::ffff:127.0.0.1]:5000", "localhost:9464", 200},
		{"127.0.0.1:5000", "attacker.example:9464", 403}, // DNS rebinding
		{"127.0.0.1:5000", "localhost.attacker.example", 403},
		{"127.0.0.1:5000", "127.0.0.1.attacker.example", 403},
		{"127.0.0.1:5000", "", 403},
		{"127.0.0.1:5000", "0.0.0.0:9464", 403},
		{"192.0.2.1:5000", "localhost:9464", 403},
		{"172.17.0.1:5000", "127.0.0.1:9464", 403},
		{"[2001:db8::1]:5000", "localhost", 403},
		{"[::ffff:192.0.2.1]:5000", "localhost", 403},
		{"@", "localhost", 403},
	} {
		for _, path := range []string{"/", "/page.css", "/icon.svg"} {
			resp := ask(full("marker"), path, c.remote, c.host)
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.want {
				t.Errorf("%s from %s with host %q: %s", path, c.remote, c.host, resp.Status)
			}
			if c.want == 403 && (strings.Contains(string(text), "marker") || !strings.Contains(string(text), "ssh -L")) {
				t.Errorf("%s from %s with host %q: %s", path, c.remote, c.host, text)
			}
		}
	}
}

func TestThePageLoadsNothingFromElsewhereAndRunsNothing(t *testing.T) {
	resp := ask(full("x"), "/", "127.0.0.1:1", "localhost")
	for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") || !strings.HasPrefix(policy, "default-src 'none';") {
		t.Error(policy)
	}
	links := 0
	for n := range parse(t, render(t, full("x"))).Descendants() {
		for _, a := range n.Attr {
			switch {
			case a.Key == "href", a.Key == "src":
				links++
				if !strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
			case a.Key == "style", strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=%q> is blocked by the policy", n.Data, a.Key, a.Val)
			}
		}
	}
	if links < 4 {
		t.Errorf("%d links", links)
	}
	css, err := files.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`url\(|@import|@font-face`).Match(css) {
		t.Error("the style sheet loads something")
	}
}

func parse(t *testing.T, text string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// elements are the tags of a page in order, with the names of their attributes.
func elements(t *testing.T, text string) (list []string) {
	for n := range parse(t, text).Descendants() {
		if n.Type == html.ElementNode {
			tag := n.Data
			for _, a := range n.Attr {
				tag += " " + a.Key
			}
			list = append(list, tag)
		}
	}
	return list
}

// Law 7: what an attacker writes is text, and no part of the page.
func TestLaw7_HostileTextMakesNoElement(t *testing.T) {
	want := elements(t, render(t, full("harmless")))
	for _, hostile := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg onload=alert(1)>`, `</title></style></textarea><b>`, `{{.}}`, `<!--`, `]]>`,
		"a\x00b\x1b[2J", "javascript:alert(1)", "\u202eevil", string([]byte{0xff, '<', 'b', '>'}),
	} {
		if got := elements(t, render(t, full(hostile))); !slices.Equal(got, want) {
			t.Errorf("%q changed the page", hostile)
		}
	}
}

func FuzzLaw7_TextMakesNoElement(f *testing.F) {
	f.Add("<script>")
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return // an empty text leaves an element out
		}
		if got, want := elements(t, render(t, full(text))), elements(t, render(t, full("harmless"))); !slices.Equal(got, want) {
			t.Errorf("%q changed the page", text)
		}
	})
}

func TestThePageIsBounded(t *testing.T) {
	s, long := full("x"), strings.Repeat("é<", 1<<12)
	s.Sources, s.Problems = nil, nil
	h := &History{}
	for i := range 1000 {
		h.Add(time.Unix(int64(i)*5, 0), uint64(i)*math.MaxUint32)
	}
	for i := range 3000 {
		level := Well
		if i == 2999 {
			level = Failing
		}
		s.Sources = append(s.Sources, Source{Instance: fmt.Sprint("i", i, long), From: long, To: long, Level: level, History: h})
		s.Problems = append(s.Problems, Problem{Level: level, Source: fmt.Sprint("p", i), What: long, Fix: long})
	}
	text := render(t, s)
	if len(text) > 2<<20 {
		t.Errorf("%d bytes", len(text))
	}
	for _, want := range []string{"i2999", "p2999", "… and 2900 more", "… and 2950 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestTheWorstComesFirstAndInTheTitle(t *testing.T) {
	text := render(t, full("x"))
	for _, want := range []string{"<title>✕ 1 problem – zitadel-siem</title>", "Failing: x", "Notice: x", "not known", "1.3 MB waiting", "3 late", "nowhere", "What to do:", "Last alerts", `http-equiv="refresh"`} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Index(text, "Failing: x") > strings.Index(text, "Notice: x") {
		t.Error("a notice stands above a failure")
	}
	well := State{Now: time.Now(), Sources: []Source{{Instance: "one", Doing: "reading", History: new(History)}}}
	if text := render(t, well); !strings.Contains(text, "<title>✓ No problems –") || !strings.Contains(text, "Nothing.") || strings.Contains(text, "Last alerts") || strings.Contains(text, "sweep") || strings.Contains(text, "Webhooks") {
		t.Error(text)
	}
	off, _ := io.ReadAll(ask(well, "/?refresh=off", "127.0.0.1:1", "localhost").Body)
	if strings.Contains(string(off), "http-equiv") {
		t.Error("it loads again though refresh is off")
	}
}

// Tables that a narrow screen shows as blocks keep their meaning only by roles, and a
// state has a word beside its colour.
func TestThePageCanBeReadWithoutEyesAndColours(t *testing.T) {
	roles := map[string]string{"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
	headers := 0
	for n := range parse(t, render(t, full("x"))).Descendants() {
		attrs := map[string]string{}
		for _, a := range n.Attr {
			attrs[a.Key] = a.Val
		}
		if role := roles[n.Data]; role != "" && attrs["role"] != role {
			t.Errorf("<%s> has the role %q", n.Data, attrs["role"])
		}
		switch {
		case n.Data == "th":
			headers++
			if attrs["scope"] == "" || attrs["role"] != attrs["scope"]+map[string]string{"col": "umnheader", "row": "header"}[attrs["scope"]] {
				t.Errorf("<th> with scope %q and role %q", attrs["scope"], attrs["role"])
			}
		case n.Data == "td" && attrs["data-label"] == "":
			t.Error("a <td> without its label")
		case n.Type == html.ElementNode && n.Data == "html" && attrs["lang"] == "":
			t.Error("no language")
		}
	}
	if headers < 10 {
		t.Errorf("%d headers", headers)
	}
}

// 4.5 is the least contrast of text by WCAG 2.2, 1.4.3.
func TestTheContrastIsEnoughInLightAndDark(t *testing.T) {
	css, err := files.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("there is no dark theme")
	}
	colour := regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`)
	for theme, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range colour.FindAllStringSubmatch(text, -1) {
			colours[m[1]] = m[2]
		}
		pairs := [][2]string{{"text", "back"}, {"text", "card"}, {"quiet", "back"}, {"quiet", "card"}, {"link", "back"}, {"link", "card"}}
		for _, l := range []Level{Well, Notice, Warning, Failing} {
			pairs = append(pairs, [2]string{l.String(), l.String() + "-back"}, [2]string{l.String(), "card"})
		}
		for _, p := range pairs {
			a, b := luminance(t, colours[p[0]]), luminance(t, colours[p[1]])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("%s: %s on %s has %.1f", theme, p[0], p[1], ratio)
			}
		}
	}
}

// luminance is the relative luminance of #rrggbb by WCAG 2.2.
func luminance(t *testing.T, colour string) (sum float64) {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(n>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
