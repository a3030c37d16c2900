package flbconf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// parser checks one of our outputs by itself.
func (c *checker) parser(s *section) {
	settings, usable := checkOptions(c, s, config.Output)
	match := c.value(s, "match")
	if match == "" {
		match = c.value(s, "match_regex")
	}
	c.parsers = append(c.parsers, Output{File: s.file, Line: s.line, Match: match, Settings: settings, Usable: usable})
}

// lines follows the lines of a log into our outputs, and out of them again
// where they send to an input of the same configuration. It returns the flows
// of lines that come to them, and the flows of records that come back.
func (c *checker) lines(outputs []*section) (lines, parsed []flow) {
	for i, out := range outputs {
		forward := c.parsers[i].Settings.Forward
		receiver := c.receiver(forward)
		feeders := c.feeders(out, receiver)
		if len(feeders) == 0 {
			c.find(Warning, out, c.lineOf(out, "match"), "no other input has a tag that match takes", "this output then gets nothing", "the tag of the input that reads ZITADEL's log")
		}
		c.workers(out, forward, receiver)
		if receiver != nil {
			back := c.back(out, c.parsers[i].Settings, receiver, feeders)
			c.sameLanguage(out, forward, receiver)
			c.loop(out, back, feeders)
			parsed = append(parsed, back)
		}
		c.bypass(out, feeders)
		if slices.Contains(c.parsers[i].Settings.Kinds, "request") {
			for _, f := range feeders {
				c.skips(f.at)
			}
		}
		lines = append(lines, feeders...)
	}
	c.reload(outputs)
	for _, f := range slices.Concat(lines, parsed) {
		c.keeps(f.at)
	}
	return lines, parsed
}

// feeders are the inputs whose records an output of ours gets, but for those
// that come back to it. Events of ZITADEL's API do not belong there.
func (c *checker) feeders(out, receiver *section) []flow {
	var feeders []flow
	for _, s := range c.kind("input") {
		f := c.enter(c.lineFlow(s))
		if s == receiver || !c.reaches(f, out) {
			continue
		}
		if c.name(s) == PluginName {
			c.find(Error, out, c.lineOf(out, "match"), fmt.Sprintf("match takes the events of the input at %s:%d", s.file, s.line),
				"they are not log lines, so this output drops them", "a match that is not "+short(f.tag))
			continue
		}
		feeders = append(feeders, f)
	}
	return feeders
}

// placeholder is a part of a tail's tag that tag_regex fills in.
var placeholder = regexp.MustCompile(`<[^<>]*>`)

// lineFlow is what any input emits, as far as its tag is known here.
func (c *checker) lineFlow(s *section) flow {
	tag := c.tagOf(s)
	switch c.name(s) {
	case "forward": // the sender gives the tag (fw_prot.c)
		if prefix := c.value(s, "tag_prefix"); prefix != "" || c.value(s, "tag") == "" {
			return flow{at: s, tag: prefix, tags: []string{prefix + "*"}}
		}
	case "tail":
		tag = placeholder.ReplaceAllString(tag, "*")
		if path := c.value(s, "path"); strings.Contains(tag, "*") && path != "" {
			return flow{at: s, tag: tag, tags: pathTags(tag, path)}
		}
	}
	return flow{at: s, tag: tag, tags: []string{tag}}
}

// pathTags puts the paths of a tail into its tag as Fluent Bit does (tail_file.c).
func pathTags(tag, paths string) []string {
	var tags []string
	for path := range strings.SplitSeq(paths, ",") {
		path = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(path), "/"), "/", ".")
		tags = append(tags, strings.ReplaceAll(tag, "*", path))
	}
	return tags
}

// receiver is the input of the same process that an output sends to.
func (c *checker) receiver(to config.Forward) *section {
	for _, s := range c.kind("input") {
		if c.name(s) == "forward" && to.Network != "" && c.address(s, to) {
			return s
		}
	}
	return nil
}

func (c *checker) address(s *section, to config.Forward) bool {
	if path := c.value(s, "unix_path"); path != "" {
		return to.IsSocket(path)
	}
	listen, port := c.value(s, "listen"), c.value(s, "port")
	if port == "" {
		port = config.ForwardPort
	}
	if listen == "" {
		listen = "0.0.0.0"
	}
	return to.LeadsTo(listen, number(port))
}

// workers requires a thread for the flush, which waits for an acknowledgement. Without
// one, the output sends nothing to its own process (package output, listensHere), even if
// an input on a thread could answer.
func (c *checker) workers(out *section, to config.Forward, receiver *section) {
	if number(c.value(out, "workers")) > 0 || to.Network == "" {
		return
	}
	what, fix := "workers is 0 or not set", out.write("workers", "1")
	if receiver != nil {
		c.find(Error, out, c.lineOf(out, "workers"), what, fmt.Sprintf("this output then runs on Fluent Bit's engine thread, which cannot wait for the input at %s:%d of the same process, so it sends nothing",
			receiver.file, receiver.line), fix)
		return
	}
	c.find(Warning, out, c.lineOf(out, "workers"), what, "all of Fluent Bit then waits whenever the other side is slow to acknowledge", fix)
}

// reload warns about hot_reload. Fluent Bit 5.1.1 starts the workers of a Go output twice
// and stops them once (flb_plugin_proxy.c, flb_output.c), and waits forever for records
// on their way to an input that it has paused already.
func (c *checker) reload(outputs []*section) {
	if len(outputs) == 0 || !isOn(c.setting("hot_reload")) {
		return
	}
	at := outputs[0]
	for _, s := range c.kind("service") {
		if s.has("hot_reload") {
			at = s
		}
	}
	c.find(Warning, at, c.lineOf(at, "hot_reload"), "hot_reload is on", "a reload can crash or hang Fluent Bit if it has an output of this kind (seen with 5.1.1)",
		at.write("hot_reload", "off")+", and restart it instead")
}

// number reads v like atoi: text that is not a number is 0.
func number(v string) int {
	n, _ := strconv.Atoi(v)
	return n
}

// sameLanguage checks that both ends agree on TLS and on the handshake.
func (c *checker) sameLanguage(out *section, to config.Forward, receiver *section) {
	at := fmt.Sprintf("the input at %s:%d ", receiver.file, receiver.line)
	if secure := isOn(c.value(receiver, "tls")); secure != to.TLS {
		says, scheme := "does not speak TLS", "tcp://"
		if secure {
			says, scheme = "speaks TLS only", "tls://"
		}
		fix := out.write("forward", scheme+to.Address)
		if to.Network == "unix" {
			fix = receiver.write("tls", "off") + " in that input"
		}
		c.find(Error, out, c.lineOf(out, "forward"), "forward "+to.String(), at+says, fix)
	}
	file, ours, theirs := out.has("shared_key_file"), out.has("shared_key"), receiver.has("shared_key")
	switch {
	case theirs && !ours && !file:
		c.find(Error, out, c.lineOf(out, "shared_key"), "shared_key is missing", at+"requires one", out.write("shared_key_file", "/etc/zitadel-siem/shared-key"))
	case !theirs && !isOn(c.value(receiver, "empty_shared_key")) && (ours || file):
		c.find(Error, out, c.lineOf(out, "shared_key"), "shared_key is given", at+"has no shared key, so it never starts the handshake that this output waits for", "leave it out, or set it there as well")
	case theirs && ours && c.value(out, "shared_key") != c.value(receiver, "shared_key"):
		c.find(Error, out, c.lineOf(out, "shared_key"), "shared_key differs", at+"has a different one", "the same in both")
	}
}

// back is the flow of records that an output sends to an input of the same
// configuration (fw_prot.c: tag_prefix, then a tag of its own, then the
// sender's).
func (c *checker) back(out *section, settings config.OutputSettings, receiver *section, feeders []flow) flow {
	sent := []string{settings.Tag}
	if settings.Tag == "" {
		sent = slices.DeleteFunc(c.follow(tagsIn(feeders)), func(t string) bool { return !c.taker(out).matches(t) })
	}
	f := flow{at: receiver, limit: settings.MaxChunk, limiter: out}
	prefix, own := c.value(receiver, "tag_prefix"), c.value(receiver, "tag")
	if prefix == "" && own != "" {
		f.tag, f.tags = own, []string{own}
		return c.enter(f)
	}
	tags := prefixed(prefix, sent)
	first := prefix
	if len(tags) == 1 {
		first = tags[0]
	}
	f.tag, f.tags, f.plain = strings.TrimSuffix(first, "*"), limited(tags, settings.MaxChunk), tags
	return c.enter(f)
}

func prefixed(prefix string, tags []string) []string {
	list := make([]string, 0, len(tags))
	for _, t := range tags {
		list = append(list, prefix+t)
	}
	return list
}

// loop finds records that come back to where they came from.
func (c *checker) loop(out *section, back flow, feeders []flow) {
	sel := c.taker(out)
	tags := c.follow(back.tags)
	i := slices.IndexFunc(tags, sel.matches)
	if i < 0 {
		return
	}
	const prefix = "parsed."
	fix := back.at.write("tag_prefix", prefix)
	if back.at.has("tag_prefix") || slices.ContainsFunc(prefixed(prefix, back.tags), sel.matches) {
		fix = fmt.Sprintf("a match at %s:%d that takes the lines only", out.file, out.line)
		if len(feeders) > 0 {
			fix = fmt.Sprintf("%s at %s:%d, and %s here", out.write("match", short(feeders[0].tag)), out.file, out.line, back.at.write("tag_prefix", prefix))
		}
	}
	c.find(Error, back.at, c.lineOf(back.at, "tag_prefix"), "the output zitadel gets its own records again",
		fmt.Sprintf("the output at %s:%d sends to this input, and its match takes the tag %s with which they come back: an endless loop", out.file, out.line, short(tags[i])), fix)
}

// bypass finds outputs that get the lines as they are.
func (c *checker) bypass(out *section, feeders []flow) {
	ours := c.taker(out)
	for _, s := range c.kind("output") {
		if c.name(s) == PluginName || slices.Contains([]string{"null", "counter", "flowcounter"}, c.name(s)) {
			continue
		}
		theirs := c.taker(s)
		both := func(tag string) bool { return ours.matches(tag) && theirs.matches(tag) && ours.meets(theirs) }
		routed := slices.ContainsFunc(feeders, func(f flow) bool { return (f.direct != nil || f.only != nil) && c.reaches(f, s) })
		tags := c.follow(tagsIn(feeders))
		i := slices.IndexFunc(tags, both)
		if i < 0 && routed {
			i = 0
		}
		if i >= 0 {
			c.find(Warning, s, c.lineOf(s, "match"), "the lines of "+short(tags[i])+" go to this output without redaction",
				"they can hold passwords in clear text, because ZITADEL's own example script logs them", s.write("match", "a tag of parsed records"))
		}
	}
}

// keeps checks that an input does not lose what it has accepted.
func (c *checker) keeps(s *section) {
	c.twice(s)
	c.routable(s)
	if isOn(c.value(s, "threaded")) {
		c.threaded(s)
	}
	c.storageType(s)
	if c.name(s) == "tail" {
		c.tail(s)
	}
}

// longLine is four times the longest line of ZITADEL that was seen (14.5 kB),
// for what a container's log adds, and for names that a client chooses.
const longLine = 64_000

// tail checks that a tail keeps its files apart, continues where it stopped, and skips
// long lines. Files with one tag share chunks, so that the parts of a line that a
// container runtime split could be joined with parts of other files. A line longer than
// the buffer (32,768 bytes by default) ends the reading of its file for good (tail_file.c).
func (c *checker) tail(s *section) {
	if tag := c.tagOf(s); strings.ContainsAny(c.value(s, "path"), "*,") && !strings.ContainsAny(tag, "*<") && c.value(s, "path_key") == "" {
		c.find(Error, s, c.lineOf(s, "path"), "path matches several files, which share one tag and have no path_key",
			"parts of lines of different containers can then be joined", s.write("path_key", "log_file"))
	}
	if c.value(s, "db") == "" {
		c.find(Warning, s, c.lineOf(s, "db"), "db is missing", "a restart reads lines twice, or skips lines that were written in the meantime",
			s.write("db", "/var/lib/fluent-bit/tail.db"))
	}
	if size := c.value(s, "buffer_max_size"); config.Bytes(size, 32_768) < longLine {
		c.find(Warning, s, c.lineOf(s, "buffer_max_size"), "buffer_max_size is less than 64k", "longer lines are lost, and a client can cause them", s.write("buffer_max_size", "1M"))
	}
	if !isOn(c.value(s, "skip_long_lines")) && !isOn(c.value(s, "truncate_long_lines")) {
		c.find(Warning, s, c.lineOf(s, "skip_long_lines"), "skip_long_lines is not on", "one line that is longer than buffer_max_size ends the reading of its file",
			s.write("skip_long_lines", "on"))
	}
}

// splitByRuntime begin the paths of logs whose lines Docker or Kubernetes splits at 16 KiB.
var splitByRuntime = []string{"/var/log/containers/", "/var/log/pods/", "/var/lib/docker/containers/"}

// skips finds a tail that skips lines that a client can make: the requests of others are then
// joined without them. A line of a request has several MB at most (docs/addresses.md). One that
// is truncated is known to be one.
func (c *checker) skips(s *section) {
	const enough = 8_000_000
	if c.name(s) != "tail" || !isOn(c.value(s, "skip_long_lines")) || isOn(c.value(s, "truncate_long_lines")) || config.Bytes(c.value(s, "buffer_max_size"), 32_768) >= enough {
		return
	}
	for path := range strings.SplitSeq(c.value(s, "path"), ",") {
		split := func(dir string) bool { return strings.HasPrefix(strings.TrimSpace(path), dir) }
		if !slices.ContainsFunc(splitByRuntime, split) {
			c.find(Warning, s, c.lineOf(s, "buffer_max_size"), "buffer_max_size is less than 8M", "a client can make the line of its request so long that it is skipped, and a request of somebody else can then get the address of another",
				s.write("buffer_max_size", "8M"))
			return
		}
	}
}
