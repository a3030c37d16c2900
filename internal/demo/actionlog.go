package demo

import (
	"context"
	"os"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// actionLog writes what a ZITADEL with login actions writes to standard error:
// recorded messages of ZITADEL's example script, with passwords and forgeries, and
// of our own script.
type actionLog struct {
	file   *os.File
	ledger *ledger
	parser *parser.Parser
}

func newActionLog(path string, l *ledger) (*actionLog, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &actionLog{file: file, ledger: l, parser: parser.New(parser.Options{})}, nil
}

// run writes the lines of one login every interval until ctx ends. A line that could
// not be written counts as lost at the end.
func (a *actionLog) run(ctx context.Context, interval time.Duration) {
	messages := zitadeltest.ActionMessages()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, line := range zitadeltest.ActionRun(now, messages[i%len(messages)]) {
				a.write(line)
			}
		}
	}
}

func (a *actionLog) write(line string) {
	var r parser.Record
	a.parser.Parse([]byte(line), &r)
	a.ledger.add(r.ID(), r.Time)
	_, _ = a.file.WriteString(line + "\n")
}
