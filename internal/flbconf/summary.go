package flbconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// variables finds those that are not set here: Fluent Bit replaces them with nothing.
func (c *checker) variables() {
	for _, s := range c.sections {
		for _, s := range append([]*section{s}, s.processors...) {
			for _, p := range s.props {
				for _, name := range c.expand(p.value).unset {
					if c.unset[name] == "" {
						c.unset[name] = fmt.Sprintf("%s:%d", s.file, p.line)
					}
				}
			}
		}
	}
}

// summary is the verdict in one sentence, with what was looked at.
func (c *checker) summary(main string, found []Finding) string {
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	looked := func(kind string) string {
		n := 0
		for s := range c.looked {
			if s.kind == kind {
				n++
			}
		}
		return count(n, kind)
	}
	verdict := "no setting that loses events was found"
	switch {
	case slices.Contains(c.unread, main):
		return main + ": not checked, since it could not be read as a configuration"
	case len(found) > 0:
		verdict = count(len(found), "finding") + " above"
	}
	return fmt.Sprintf("%s: %s; looked at: %s, %s, %s, %s, %s and the service section, as Fluent Bit 5.1.1 reads them", main, verdict,
		count(len(c.order), "file"), count(len(c.kind("input")), "input"), looked("filter"), looked("processor"), looked("output"))
}

// notRead lists what was not looked at.
func (c *checker) notRead() string {
	list := []string{"the files of plugins_file, parsers_file and streams_file", "options on Fluent Bit's command line", "whether servers take the records and disks have room"}
	if len(c.unread) > 0 {
		list = append([]string{"files that could not be read (" + strings.Join(c.unread, ", ") + ")"}, list...)
	}
	if c.customs {
		list = append([]string{"custom plugins of a vendor"}, list...)
	}
	if len(c.unset) > 0 {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(c.unset)) {
			names = append(names, short(name)+" at "+c.unset[name])
		}
		list = append([]string{"variables that are not set here (" + strings.Join(names, ", ") + ")"}, list...)
	}
	return "not looked at: " + strings.Join(list, "; ")
}
