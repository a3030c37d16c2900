package forward

// quiet reports false, so that each message gets a connection of its own: Windows has
// no way to look at a connection without waiting that Go's runtime would not notice.
func (c *conn) quiet() bool { return false }
