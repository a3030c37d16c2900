package parser

// Options say what a caller wants.
type Options struct {
	// Kinds are the kinds that Parse fills a record for; zero means [DefaultKinds].
	Kinds Kinds
	// Raw keeps the scrubbed line in the records of Other and Malformed.
	Raw bool
	// Instance replaces the instance id of the line.
	Instance string
}

// Parser holds the buffers of [Parser.Parse]. One goroutine at a time may use it.
type Parser struct {
	opts   Options
	counts Counts
}

// Counts is how many lines of each kind were seen, wanted or not, by [Kind].
type Counts [kinds]uint64

// New returns a parser.
func New(opts Options) *Parser {
	if opts.Kinds == 0 {
		opts.Kinds = DefaultKinds
	}
	return &Parser{opts: opts}
}

// Parse reads one line, without or with its line end, into r and reports whether
// its kind is wanted. It does not keep the line. Where it returns false, r is
// of no use and the line is counted.
func (p *Parser) Parse(line []byte, r *Record) bool {
	*r = Record{}
	return false
}

// Counts returns the lines seen so far, by kind.
func (p *Parser) Counts() Counts { return p.counts }
