package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// What loading the plugin costs a host: dlopen, the start of Go's runtime and
// registration, in a process of its own each time.
func BenchmarkLoad(b *testing.B) {
	so, host := testkit.Plugin(b, "in_zitadel"), plugintest.Current.Path(b)
	info, err := os.Stat(so)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		cmd := exec.Command(host)
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		answers := bufio.NewScanner(out)
		b.StartTimer()
		for _, command := range []string{"load " + so, "register"} {
			fmt.Fprintln(in, command)
			if !answers.Scan() {
				b.Fatalf("the host died of %q", command)
			}
		}
		b.StopTimer()
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
}
