package config

// ChunkSettings bound a chunk of Fluent Bit, see package chunks.
type ChunkSettings struct {
	Size    int // bytes as JSON; 0: no limit
	Records int // 0: no limit
}

// Option returns the name of an option that sets a limit; empty: there is no limit.
func (s ChunkSettings) Option() string {
	switch {
	case s.Size > 0:
		return "max_chunk_size"
	case s.Records > 0:
		return "max_chunk_records"
	}
	return ""
}

func (s *Settings) chunks() *ChunkSettings       { return &s.MaxChunk }
func (s *OutputSettings) chunks() *ChunkSettings { return &s.MaxChunk }

// leastChunk is a few records.
const leastChunk = 10_000

// chunkOptions are the options for the size of chunks. of finds their settings.
func chunkOptions[S any](of func(*S) *ChunkSettings) Options {
	return lift(grouped("Options for destinations with a limit", Options{
		{
			Name: "max_chunk_size", Kind: KindSize, Default: "0", Min: "0", Max: "64M", Example: "800k",
			Bounds: "0 is no limit",
			Doc: "Bytes of records, as JSON, in one chunk of Fluent Bit, for outputs that send a chunk as one request. Each chunk then has a tag of its own, `TAG.NAME`: " +
				"let outputs match `TAG.*`",
			also:  []string{"chunk_limit_size", "max_chunk_bytes", "max_request_size"},
			field: in(func(s *ChunkSettings) any { return &s.Size }),
		},
		{
			Name: "max_chunk_records", Kind: KindNumber, Default: "0", Min: "0", Max: "1000000", Example: "900",
			Bounds: "0 is no limit",
			Doc:    "Records in one chunk of Fluent Bit, as `max_chunk_size`",
			also:   []string{"chunk_limit_records", "max_chunk_events"},
			field:  in(func(s *ChunkSettings) any { return &s.Records }),
		},
	}), of)
}

// chunking checks the options for the size of chunks.
func chunking(p *parser, s *ChunkSettings) {
	if s.Size > 0 && s.Size < leastChunk && !p.bad["max_chunk_size"] {
		p.fail("max_chunk_size", "", "is less than a few records have", "set at least 10k, or 0 for no limit")
	}
}
