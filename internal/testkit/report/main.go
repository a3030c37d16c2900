// Command report runs go test with the arguments given, shows the result of each package
// and the output of each test that failed, and lists the tests that were skipped, with
// their reasons. go test without -v does not show these.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var r report
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		r.line(lines.Bytes())
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	r.end()
	if err != nil {
		os.Exit(1)
	}
}

type report struct {
	output  map[[2]string][]string // of each test that runs
	skipped []string
}

func (r *report) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Printf("%s\n", line)
		return
	}
	key := [2]string{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Test == "":
		if e.Action == "output" && e.Output != "PASS\n" && !strings.Contains(e.Output, "[no test files]") {
			fmt.Print(e.Output)
		}
	case e.Action == "output":
		if r.output == nil {
			r.output = map[[2]string][]string{}
		}
		r.output[key] = append(r.output[key], e.Output)
	case e.Action == "fail":
		fmt.Print(strings.Join(r.output[key], ""))
		delete(r.output, key)
	case e.Action == "skip":
		r.skipped = append(r.skipped, fmt.Sprintf("  %s %s: %s", e.Package[strings.LastIndex(e.Package, "zitadel-siem/")+len("zitadel-siem/"):], e.Test, reason(r.output[key])))
		delete(r.output, key)
	case e.Action == "pass":
		delete(r.output, key)
	}
}

// end shows what is left: output of tests that never ended, and what was skipped.
func (r *report) end() {
	for _, output := range r.output {
		fmt.Print(strings.Join(output, ""))
	}
	if len(r.skipped) > 0 {
		fmt.Printf("skipped:\n%s\n", strings.Join(r.skipped, "\n"))
	}
}

// reason is what a test says when it is skipped, without the lines that go test adds.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}
