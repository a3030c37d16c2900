package config

import "testing"

func TestVerifyHasNoOptionsOfAReaderThatGoesOn(t *testing.T) {
	for _, name := range goingOn {
		if _, ok := Pull.Lookup(name); !ok {
			t.Errorf("%s is no option of pull: was it renamed?", name)
		}
	}
	for _, name := range []string{"state_path", "sweep", "enrich", "webhook_listen", "webhook_keys_dir", "spool_path", "call_addresses"} {
		if _, ok := Verify.Lookup(name); ok {
			t.Errorf("%s has no effect on verify", name)
		}
	}
	for _, name := range []string{"url", "format", "max_chunk_size", "forward"} {
		if _, ok := Verify.Lookup(name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
}
