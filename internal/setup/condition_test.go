package setup

import "testing"

// Errors name an execution by what it is for.
func TestCondition_SaysWhatItIsFor(t *testing.T) {
	for c, want := range map[condition]string{
		allEvents:                            "all events",
		"event/user.*":                       "events user.*",
		"request/zitadel.org.v2.Service/Add": "request/zitadel.org.v2.Service/Add",
		"response":                           "response",
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
