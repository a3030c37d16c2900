// Command methods makes methods.txt: the methods of ZITADEL's API that change something, by
// the descriptors in ZITADEL's client. Run it by go generate in internal/calls.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	_ "github.com/zitadel/zitadel-go/v3/pkg/client" // registers the descriptors
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
)

func main() {
	out := flag.String("o", "methods.txt", "file to write")
	flag.Parse()
	if err := os.WriteFile(*out, methods(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "methods:", err)
		os.Exit(1)
	}
}

// left out: services that are no part of an instance, so that an instance's executions
// do not apply to them.
var leftOut = []string{"zitadel.system.v1.SystemService", "zitadel.analytics.v2beta.TelemetryService"}

func methods() []byte {
	var names []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			if !strings.HasPrefix(string(service.FullName()), "zitadel.") || slices.Contains(leftOut, string(service.FullName())) {
				continue
			}
			for j := range service.Methods().Len() {
				name := string(service.Methods().Get(j).Name())
				if !calls.Reading(name) {
					names = append(names, fmt.Sprintf("/%s/%s", service.FullName(), name))
				}
			}
		}
		return true
	})
	slices.Sort(names)
	return []byte("# Made by go generate from the descriptors in zitadel-go: the methods that are no reading ones.\n" + strings.Join(names, "\n") + "\n")
}
