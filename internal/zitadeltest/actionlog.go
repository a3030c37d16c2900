package zitadeltest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Messages of ZITADEL's example script, recorded from ZITADEL main of 2026-07-10 with the
// passwords and cookies of a throwaway instance, and two of this project's own script.
//
//go:embed data/action-messages.jsonl
var actionMessages []byte

// ActionMessages returns messages that actions print at a login.
func ActionMessages() []string {
	var messages []string
	for line := range bytes.Lines(actionMessages) {
		var m struct{ Message string }
		if err := json.Unmarshal(line, &m); err != nil {
			panic(err) // the file is part of the program
		}
		messages = append(messages, m.Message)
	}
	return messages
}

// executionLog is the record that ZITADEL makes of what an action prints.
type executionLog struct {
	LogDate    time.Time     `json:"logDate"`
	Took       time.Duration `json:"took"`
	Message    string        `json:"message"`
	LogLevel   string        `json:"logLevel"`
	InstanceID string        `json:"instanceId"`
}

// ActionRun returns the lines that ZITADEL writes to standard error for one run of an
// action that prints message: begin, message, end.
func ActionRun(at time.Time, message string) []string {
	const took = 650 * time.Microsecond
	var lines []string
	for i, l := range []executionLog{
		{LogDate: at, Message: "action run started"},
		{LogDate: at.Add(took - 50*time.Microsecond), Message: message},
		{LogDate: at.Add(took), Message: "action run succeeded", Took: took},
	} {
		l.LogDate, l.LogLevel, l.InstanceID = l.LogDate.UTC(), "info", "400712317102197798"
		record, err := json.Marshal(l)
		if err != nil {
			panic(fmt.Sprintf("line %d: %v", i, err)) // strings and numbers
		}
		lines = append(lines, fmt.Sprintf("time=%q level=info msg=\"log record emitted\" caller=\"/zitadel/internal/logstore/emitters/stdout/stdout.go:19\" record=%s",
			l.LogDate.Format(time.RFC3339), strconv.Quote(string(record))))
	}
	return lines
}
