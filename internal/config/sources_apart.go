package config

import (
	"net"
	"path/filepath"
)

// apart refuses two sources with one state, spool or address, and two with one
// label: their events would have the same ids, and their metrics the same names. It looks
// at the sources of all files.
func (f *sourcesFile) apart() {
	type own struct{ option, value string }
	taken := map[own]place{} // by the first source that has it
	for i, s := range f.out.List {
		at := f.places[i]
		refuse := func(option, value, same, fix string) bool {
			if value == "" {
				return false
			}
			first, ok := taken[own{option, same}]
			if !ok {
				taken[own{option, same}] = at
				return false
			}
			f.failAt(at, "%s %s is also used by the source in %s; %s", option, quote(value), first, fix)
			return true
		}
		const each = "each needs its own"
		// The spool is named after the state where nothing else is said.
		if !refuse("state_path", s.StatePath, filepath.Clean(s.StatePath), each) {
			refuse("spool_path", s.Listen.SpoolPath, filepath.Clean(s.Listen.SpoolPath), each)
		}
		if _, port, _ := net.SplitHostPort(s.Listen.Address); port != "0" { // which means another port each time
			refuse("webhook_listen", s.Listen.Address, s.Listen.Address, each)
		}
		refuse("instance", s.Instance, s.Instance, "set another `instance` for one of them, or merge the two sources into one")
	}
}
