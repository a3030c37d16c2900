package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// The page is made from the model that parses the command line.
func TestMan_HasEveryCommandAndEveryOption(t *testing.T) {
	r := finish(t, program(t, nil, "man"))
	if r.status != 0 || r.stderr != "" {
		t.Fatal(r)
	}
	page := strings.NewReplacer(`\-`, "-", `\e`, `\`).Replace(r.stdout)
	for _, command := range []string{"pull (listen)", "parse", "detect", "check", "setup events", "setup log", "setup webhook-v1", "state import", "state export", "explain", "version", "completion"} {
		if !strings.Contains(page, "\n.SS "+command+"\n") {
			t.Errorf("the command %s is missing", command)
		}
	}
	for _, o := range append(config.Pull.Options[:len(config.Pull.Options):len(config.Pull.Options)], config.Output.Options...) {
		has := strings.Contains(page, `\fB--`+o.Flag()+`\fR`)
		if has == o.Secret {
			t.Errorf("--%s: in the page: %v; secret: %v", o.Flag(), has, o.Secret)
		}
		if !o.Secret && !strings.Contains(page, "($"+o.Env()+")") {
			t.Errorf("the variable %s is missing", o.Env())
		}
	}
	if m := regexp.MustCompile(`(?m)^\.TH .*$`).FindString(page); !strings.Contains(m, `1 "" `) {
		t.Errorf("%s: with a date, two builds of one source differ", m)
	}
	if strings.Contains(page, "\n.SS man\n") || strings.Contains(page, `\fB--docs\fR`) {
		t.Error("it has what is hidden")
	}
}

func TestMan_IsReadWithoutWarnings(t *testing.T) {
	if _, err := exec.LookPath("man"); err != nil {
		t.Skip("no man: the page was NOT rendered; install man-db")
	}
	page := filepath.Join(t.TempDir(), "zitadel-siem.1")
	if err := os.WriteFile(page, []byte(finish(t, program(t, nil, "man")).stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("man", "--warnings", "--encoding=utf8", "-l", page)
	cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 || !strings.Contains(string(out), "--state-path=VALUE") {
		t.Errorf("%v\n%s%.300s", err, said.String(), out)
	}
}
