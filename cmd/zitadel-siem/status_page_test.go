package main

import (
	"bytes"
	"context"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// shots is a directory for the screenshots, and shotsAfter the time that each scene runs
// before, such as 3m for a long graph.
//
//	STATUS_PAGE_SHOTS=/some/dir STATUS_PAGE_AFTER=3m go test ./cmd/zitadel-siem -run StatusPage
var (
	shots         = os.Getenv("STATUS_PAGE_SHOTS")
	shotsAfter, _ = time.ParseDuration(os.Getenv("STATUS_PAGE_AFTER"))
)

// TestTheStatusPageInARealBrowser shows the page of a running pull: healthy, and with a
// ZITADEL that is away, a wrong token, a receiver that is away and a lag.
func TestTheStatusPageInARealBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on PATH: the status page was NOT tested in a browser; on Debian: apt-get install chromium")
	}
	t.Parallel()
	t.Run("healthy", func(t *testing.T) {
		t.Parallel()
		text := show(t, browser, "healthy", sourcesOf(t, healthySource(t, "prod")), func(p string) bool { return strings.Contains(p, "</span> reading</span>") })
		for _, want := range []string{"<title>✓ No problems", "<p>Nothing.</p>", "prod", "0 given up", "Webhooks", `data-label="Rule">`, `data-label="Who"`} {
			if !strings.Contains(text, want) {
				t.Errorf("missing: %s", want)
			}
		}
	})
	t.Run("broken", func(t *testing.T) {
		t.Parallel()
		text := show(t, browser, "broken", sourcesOf(t, healthySource(t, "prod-eu"), awaySource(t), refusedSource(t), stuckSource(t), slowSource(t)), func(p string) bool {
			return strings.Count(p, "</span> failing</span>") == 3 && strings.Contains(p, "Notice: archive")
		})
		for _, want := range []string{
			"<title>✕ 3 problems", "Failing: prod-us", "ZITADEL does not answer. ", "check that ZITADEL runs and that url names its port",
			"Failing: staging", "ZITADEL refuses. ", "renew it in token_file", "Failing: prod-ap", "Records are not taken. ", " behind.", "catching up", "What to do:",
		} {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
				t.Errorf("missing: %s", want)
			}
		}
		if strings.Contains(text, wrongToken) {
			t.Error("a token stands in the page")
		}
	})
}

// TestTheStatusPageForTheDocumentation makes docs/status-page.png.
func TestTheStatusPageForTheDocumentation(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if shots == "" || err != nil {
		t.Skip("only with STATUS_PAGE_SHOTS and chromium: nothing is tested, a picture is made")
	}
	t.Parallel()
	show(t, browser, "status-page", sourcesOf(t, healthySource(t, "prod-eu"), refusedSource(t)), func(p string) bool {
		return strings.Contains(p, "</span> failing</span>") && strings.Contains(p, "</span> reading</span>")
	})
}

const wrongToken = "a-token-that-is-wrong-0123456789"

// sourcesOf writes a file of sources.
func sourcesOf(t *testing.T, sources ...func(dir string) string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sources.yaml")
	text := "metrics_listen: 127.0.0.1:0\nsources:\n"
	for _, add := range sources {
		text += add(filepath.Dir(path))
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sourceText is a source of such a file. Its paths are relative, as pictures show them.
func sourceText(t *testing.T, name, url, token string, more ...string) func(dir string) string {
	return func(dir string) string {
		if err := os.WriteFile(filepath.Join(dir, name+".token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		options := append([]string{"url: " + url, "token_file: " + name + ".token", "state_path: " + name + ".state", "settle: 1s", "poll_interval: 500ms"}, more...)
		return "  - instance: " + name + "\n    " + strings.Join(options, "\n    ") + "\n"
	}
}

// healthySource has events all the time, and webhooks.
func healthySource(t *testing.T, name string) func(dir string) string {
	const key = "of-a-target-in-a-test"
	server := startRecorded(t, zitadeltest.Options{})
	keys := t.TempDir()
	if err := os.WriteFile(filepath.Join(keys, "siem"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	writer, target := zitadeltest.NewWriter(server.Store(), 1, nil), zitadeltest.NewTarget("http://"+address+"/siem", key)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			target.Happen(server.Store(), writer.Next())
			time.Sleep(50 * time.Millisecond) // a rate, not a wait
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return sourceText(t, name, server.URL(), server.Token(), "webhook_listen: "+address, "webhook_keys_dir: "+keys)
}

func awaySource(t *testing.T) func(dir string) string {
	return sourceText(t, "prod-us", "http://127.0.0.1:"+testkit.FreePort(t), wrongToken)
}

func refusedSource(t *testing.T) func(dir string) string {
	return sourceText(t, "staging", startRecorded(t, zitadeltest.Options{}).URL(), wrongToken)
}

func stuckSource(t *testing.T) func(dir string) string {
	server := startRecorded(t, zitadeltest.Options{})
	return sourceText(t, "prod-ap", server.URL(), server.Token(), "forward: tcp://127.0.0.1:"+testkit.FreePort(t))
}

// slowSource cannot keep up.
func slowSource(t *testing.T) func(dir string) string {
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: 100_000, From: time.Now().Add(-72 * time.Hour), Every: time.Second, PerTransaction: 3})
	server := zitadeltest.Serve(t, store, zitadeltest.Options{})
	server.Update(func(f *zitadeltest.Faults) { f.Latency = 100 * time.Millisecond })
	return sourceText(t, "archive", server.URL(), server.Token(), "page_size: 100")
}

var statusAddress = regexp.MustCompile(`status=(http://\S+)`)

// show runs pull until the page is as it should be, and returns what the browser made of
// it. It fails if the browser reports an error, such as something that the policy blocks.
func show(t *testing.T, browser, scene, sources string, ready func(page string) bool) (dom string) {
	t.Helper()
	bounded := program(t, nil, "pull", "--detect", "on", "--config", sources) // ends after a minute; scenes may be longer
	cmd := exec.Command(bounded.Path, bounded.Args[1:]...)
	cmd.Env, cmd.Dir = bounded.Env, filepath.Dir(sources)
	run := testkit.Start(t, cmd, nil)
	address := ""
	run.Until("an address", func() bool {
		if m := statusAddress.FindStringSubmatch(run.Err.String()); m != nil {
			address = m[1]
		}
		return address != ""
	})
	run.Until("the scene", func() bool { return ready(load(t, address)) })
	time.Sleep(shotsAfter) // only for pictures

	picture := filepath.Join(t.TempDir(), "page.png")
	for _, v := range []struct{ name, size, more string }{{"", "1000,1100", ""}, {"-dark", "1000,1100", "--force-dark-mode"}, {"-phone", "500,2400", ""}} {
		if v.name != "" && shots == "" {
			break
		}
		if scene == "status-page" && v.name == "" {
			v.size = "1000,1450" // with alerts
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--enable-logging=stderr",
			"--user-data-dir=" + t.TempDir(), "--window-size=" + v.size, "--screenshot=" + picture, "--dump-dom"}
		if v.more != "" {
			args = append(args, v.more)
		}
		cmd := exec.CommandContext(ctx, browser, append(args, address+"?refresh=off")...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		cancel()
		if err != nil {
			t.Fatalf("%v: %s", err, &errs)
		}
		if strings.Contains(errs.String(), "CONSOLE") {
			t.Errorf("the browser complains: %s", &errs)
		}
		dom = out.String()
		if _, err := os.Stat(picture); err != nil {
			t.Fatalf("the browser made no picture: %s\n%.2000s", &errs, dom)
		}
		wantPicture(t, picture)
		if shots != "" {
			data, err := os.ReadFile(picture)
			if err == nil {
				err = os.WriteFile(filepath.Join(shots, scene+v.name+".png"), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return dom
}

// load is the page as a client without a browser gets it.
func load(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return string(text)
}

// wantPicture wants more on a picture than an empty page: text has many shades, and the
// style sheet makes the badges coloured.
func wantPicture(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	var shades [256]bool
	shown, coloured := 0, false
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			switch {
			case max(r, g, b)-min(r, g, b) > 0x3000:
				coloured = true
			case !shades[r>>8]:
				shades[r>>8] = true
				shown++
			}
		}
	}
	if shown < 20 || !coloured {
		t.Errorf("the picture has %d shades, coloured %v: the page is empty or has no style", shown, coloured)
	}
}
