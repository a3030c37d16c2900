package parser

// Limit has p read less of a line than [MaxLine].
func Limit(p *Parser, n int) *Parser {
	p.limit = n
	return p
}
