package postgres

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// When a request is given up, pgx asks the server over a second connection to cancel it, and waits up
// to 15 s for the answer and for the end of the first one. Until then the connection counts for the
// pool: if the machine of the primary is gone, all of the pool may be lost for 15 s, and nothing can be
// committed to the standby that took over.

// parting is how long a server may take for each of the two.
const parting = time.Second

// part lets pgx wait no longer than that.
func part(config *pgxpool.Config) {
	c := config.ConnConfig
	dial, within := c.DialFunc, c.ConnectTimeout
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		// An attempt to connect has within; only a request to cancel has more.
		end, ok := ctx.Deadline()
		cancels := ok && time.Until(end) > within
		if cancels {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, parting)
			defer stop()
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if cancels {
			_ = conn.SetDeadline(time.Now().Add(parting)) // or pgx waits longer
		}
		return parted{conn}, nil
	}
}

// parted is a connection without far deadlines. pgx sets one only when it gives the connection up.
type parted struct{ net.Conn }

// SetDeadline implements [net.Conn].
func (c parted) SetDeadline(t time.Time) error {
	if most := time.Now().Add(parting); t.After(most) {
		t = most
	}
	return c.Conn.SetDeadline(t)
}
