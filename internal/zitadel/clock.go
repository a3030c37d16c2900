package zitadel

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// clock keeps the last time that the server reported, and the local time of that moment.
type clock struct {
	now func() time.Time

	mu            sync.Mutex
	server, local time.Time
}

func newClock() *clock { return &clock{now: time.Now} }

// see notes the server's clock. header returns a header by its lower-case name.
//
// HTTP answers have a Date of the moment in which they start. gRPC answers have none,
// but ZITADEL sets "expires: <now>" with "cache-control: no-store" when the call
// arrives, which is closer to asked than to now.
func (c *clock) see(header func(string) string, asked time.Time) {
	local := c.now()
	text := header("date")
	if text == "" && strings.Contains(header("cache-control"), "no-store") {
		text, local = header("expires"), asked
	}
	server, err := parseHTTPTime(text)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.server, c.local = server, local
	c.mu.Unlock()
}

func (c *clock) last() (server, local time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server, c.local, !c.server.IsZero()
}

// serverNow returns the server's clock, or the local one if it is unknown.
func (c *clock) serverNow() time.Time {
	now := c.now()
	if server, local, ok := c.last(); ok {
		return now.Add(server.Sub(local))
	}
	return now
}

// skewHint is a clause of a fix for the case that the clocks differ too much.
func (c *clock) skewHint() string {
	server, local, ok := c.last()
	// Dates have a resolution of a second, and the answer took time.
	if skew := server.Sub(local).Round(time.Second); ok && skew.Abs() > 5*time.Second {
		if skew < 0 {
			return fmt.Sprintf("; this machine's clock is %s ahead of the server's", -skew)
		}
		return fmt.Sprintf("; this machine's clock is %s behind the server's", skew)
	}
	return ""
}
