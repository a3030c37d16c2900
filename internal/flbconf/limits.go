package flbconf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// requestLimit is what one request to a destination may hold, for outputs that send a chunk
// as one request.
type requestLimit struct {
	what string // continues "takes at most"
	why  string
	most config.ChunkSettings // what one chunk may hold then
	fix  string
}

const tooLarge = "Fluent Bit sends a chunk as one request, and a larger one is refused at each retry: the output is stuck"

// requestLimits are those by the output. Where they are from is in the files of conf/.
var requestLimits = map[string]requestLimit{
	"azure_logs_ingestion": {"1 MB in a request", tooLarge, config.ChunkSettings{Size: 1_000_000}, "max_chunk_size 800k"},
	"datadog":              {"1000 records in a request", tooLarge, config.ChunkSettings{Records: 1000}, "max_chunk_records 900"},
	"chronicle": {"0.8 MB in a request", "Fluent Bit sends a larger chunk in parts, and loses a part that is refused before the last one",
		config.ChunkSettings{Size: 800_000}, "max_chunk_size 500k"},
	"kafka_rest": {"an answer of 4 KB, for about 70 records", "Fluent Bit takes the answer to more of them for a failure, and sends the chunk again without end",
		config.ChunkSettings{Records: 70}, "max_chunk_records 50"},
}

// within reports whether chunks with the first limit fit into the second.
func within(is, most config.ChunkSettings) bool {
	fits := func(is, most int) bool { return most == 0 || is > 0 && is <= most }
	return fits(is.Size, most.Size) && fits(is.Records, most.Records)
}

// limited returns the tags of chunks with a limit: each has a last part of its own.
func limited(tags []string, limit config.ChunkSettings) []string {
	if limit.Option() == "" {
		return tags
	}
	tags = slices.Clone(tags)
	for i := range tags {
		tags[i] += ".*"
	}
	return tags
}

// keepsPart reports whether a rule of rewrite_tag keeps the part of a tag that limited added. A
// field in the tag of the rule is unknown here as well, but does not tell chunks apart.
func keepsPart(e emission) bool {
	return strings.Contains(e.tag, "*") && strings.Contains(strings.ToUpper(e.rule.tag), "$TAG")
}

// tooMuch finds an output whose destination refuses a chunk of this flow for its size. tag is
// one with which the records come to it, parted says that each chunk has a tag of its own.
func (c *checker) tooMuch(f flow, tag string, parted bool, out *section) {
	most, ok := requestLimits[c.name(out)]
	if !ok {
		return
	}
	key, value, _ := strings.Cut(most.fix, " ")
	at := fmt.Sprintf(" at %s:%d", f.limiter.file, f.limiter.line)
	switch {
	case !within(f.limit, most.most):
		c.find(Warning, out, out.line, "the output "+c.name(out)+" takes at most "+most.what, most.why, f.limiter.write(key, value)+" in the "+f.limiter.kind+" zitadel"+at)
	case !parted:
		c.find(Warning, f.limiter, c.lineOf(f.limiter, key), key+" has no effect",
			"all chunks get the tag "+short(c.scrub(tag))+", under which Fluent Bit joins them, and the output "+c.name(out)+" takes at most "+most.what, "a tag with $TAG in it")
	}
}

// passedBy finds a filter or an output that takes the tags that this flow would have without a
// limit, and none that it has: a filter that masks fields would no longer do so.
func (c *checker) passedBy(f flow, kind string, takes func(*section) bool) {
	key := f.limit.Option()
	if key == "" {
		return
	}
	for _, s := range c.kind(kind) {
		i := slices.IndexFunc(f.plain, c.selector(s).matches)
		if i < 0 || !c.active(s) || takes(s) {
			continue
		}
		tag := short(f.plain[i])
		c.find(Warning, s, c.lineOf(s, "match"), fmt.Sprintf("%s %s takes none of the tags %s.*", kind, short(c.name(s)), tag),
			fmt.Sprintf("%s at %s:%d gives each chunk a tag of its own, and this match takes the tag %s only", key, f.limiter.file, c.lineOf(f.limiter, key), tag),
			s.write("match", tag+"*"))
	}
}
