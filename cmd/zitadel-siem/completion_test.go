package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// completions are lines that end where a user presses TAB, and what has to come.
var completions = []struct {
	line string
	want []string // some of the words that are suggested
	not  []string
}{
	{"zitadel-siem ", []string{"pull", "parse", "check", "setup", "completion"}, []string{"man", "listen"}},
	{"zitadel-siem pu", []string{"pull"}, []string{"parse"}},
	{"zitadel-siem pull --for", []string{"--forward", "--format"}, []string{"--once"}},
	{"zitadel-siem listen --for", []string{"--forward"}, nil},
	{"zitadel-siem pull --t", []string{"--token-file", "--transport"}, []string{"--token"}},
	{"zitadel-siem pull --format ", []string{"raw", "ecs", "ocsf", "cef", "leef"}, []string{"--once"}},
	{"zitadel-siem pull --format=e", []string{"ecs"}, []string{"raw"}},
	{"zitadel-siem pull --redact ", []string{"on", "off"}, nil},
	{"zitadel-siem pull --once --state-path a-f", []string{"a-file"}, nil},
	{"zitadel-siem pull --config a-f", []string{"a-file"}, nil},
	{"zitadel-siem detect --min-level h", []string{"high"}, []string{"low"}},
	{"zitadel-siem parse a-f", []string{"a-file"}, nil},
	{"zitadel-siem setup ", []string{"events", "log", "webhook-v1"}, nil},
	{"zitadel-siem setup log --re", []string{"--remove", "--replace"}, []string{"--rotate"}},
	{"zitadel-siem setup --ro", []string{"--rotate"}, nil},
	{"zitadel-siem completion ", []string{"bash", "zsh", "fish"}, nil},
}

// completes asks a shell what it suggests for each line, in a directory with one file.
func completes(t *testing.T, shell string, suggest func(dir, script string, lines []string) (words [][]string)) {
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("no %s: its completion was NOT tried; install %s", shell, shell)
	}
	r := finish(t, program(t, nil, "completion", shell))
	if r.status != 0 || r.stderr != "" {
		t.Fatal(r)
	}
	dir := t.TempDir()
	script := filepath.Join(t.TempDir(), "_zitadel-siem")
	for path, content := range map[string]string{filepath.Join(dir, "a-file"): "", script: r.stdout} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for _, c := range completions {
		lines = append(lines, c.line)
	}
	suggested := suggest(dir, script, lines)
	if len(suggested) != len(lines) {
		t.Fatalf("%d answers to %d lines: %q", len(suggested), len(lines), suggested)
	}
	for i, c := range completions {
		got := suggested[i]
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("%q: %q is missing in %q", c.line, want, got)
			}
		}
		for _, not := range c.not {
			if slices.Contains(got, not) {
				t.Errorf("%q: %q is in %q", c.line, not, got)
			}
		}
	}
}

// shell runs a script and returns what it prints.
func shell(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "TERM=dumb", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestCompletion_Bash(t *testing.T) {
	completes(t, "bash", func(dir, script string, lines []string) (all [][]string) {
		for _, line := range lines {
			// bash separates words at = as well.
			words := strings.Fields(strings.ReplaceAll(line, "=", " = "))
			if strings.HasSuffix(line, " ") {
				words = append(words, "")
			}
			all = append(all, strings.Fields(shell(t, dir, append([]string{"bash", "--norc", "-c",
				`source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zitadel_siem; printf '%s\n' "${COMPREPLY[@]}"`, "bash", script}, words...)...)))
		}
		return all
	})
}

func TestCompletion_Fish(t *testing.T) {
	completes(t, "fish", func(dir, script string, lines []string) (all [][]string) {
		out := shell(t, dir, append([]string{"fish", "--no-config", "-c",
			`source $argv[1]; for line in $argv[2..]; complete -C $line | string replace -r '\t.*' ''; echo end; end`, script}, lines...)...)
		for answer := range strings.SplitSeq(strings.TrimSuffix(out, "end\n"), "end\n") {
			words := strings.Fields(answer)
			for i, w := range words { // of --format=e it repeats the flag
				if _, value, ok := strings.Cut(w, "="); ok {
					words[i] = value
				}
			}
			all = append(all, words)
		}
		return all
	})
}

// zshCompletes types each line and a TAB into a zsh in a terminal of its own. There, compadd
// notes what it is given, and TAB prints that.
const zshCompletes = `
script=$1; shift
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= PS2= RPS1=; unsetopt zle_bracketed_paste beep; fpath=(${script:h} \$fpath); autoload -U compinit; compinit -u -D"
zpty -w z 'typeset -a shown
compadd() { local -a found; builtin compadd -O found "$@"; shown+=($found); builtin compadd "$@" }
collect() { shown=(); _main_complete; compstate[list]= compstate[insert]=; builtin print -r -- "words: $shown :end" }
zle -C collect complete-word collect; bindkey "^I" collect'
zpty -w z "print rea''dy"
wait() { while zpty -r z text; do [[ $text == *$~1* ]] && return; done }
wait ready
for line; do
	zpty -w -n z $'\C-u'"$line"$'\t'
	wait 'words:*:end'
	text=${text##*words:}
	print -r -- ${text%%:end*}
done
zpty -d z
`

func TestCompletion_Zsh(t *testing.T) {
	completes(t, "zsh", func(dir, script string, lines []string) (all [][]string) {
		for line := range strings.Lines(shell(t, dir, append([]string{"zsh", "-f", "-c", zshCompletes, "zsh", script}, lines...)...)) {
			all = append(all, strings.Fields(line))
		}
		return all
	})
}
