package zitadeltest

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
)

// The answer of a real ListExecutionMethods.
//
//go:embed data/execution_methods.txt
var executionMethodsText string

var executionMethods = sync.OnceValue(func() []string { return strings.Fields(executionMethodsText) })

// knownAPI refuses executions for methods and services that ZITADEL does not have.
func knownAPI(c *actionpb.Condition) error {
	method, service := c.GetRequest().GetMethod(), c.GetRequest().GetService()
	if r := c.GetResponse(); r != nil {
		method, service = r.GetMethod(), r.GetService()
	}
	switch {
	case method != "" && !slices.Contains(executionMethods(), method):
		return errMethodUnknown
	case service != "" && !slices.ContainsFunc(executionMethods(), func(m string) bool { return strings.HasPrefix(m, "/"+service+"/") }):
		return errServiceUnknown
	}
	return nil
}
