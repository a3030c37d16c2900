package parser_test

import (
	"fmt"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// A line as ZITADEL's example script leaves it in the log, with the user name
// of somebody who would like to come from another address.
func ExampleParser_Parse() {
	line := []byte(`time="2026-11-22T09:25:01Z" level=info msg="log record emitted" caller="stdout.go:19" ` +
		`record="{\"logDate\":\"2026-11-22T09:25:01.76622435Z\",\"took\":0,\"message\":\"successful login: username/bob, remoteAddr/6.6.6.6, request/{}` +
		`, timestamp/2026-11-22 09:25:01.670574643 +0000 UTC, appID/400712808473365542, remoteAddr/127.0.0.1:56046` +
		`, request/{\\\"method\\\":\\\"POST\\\",\\\"url\\\":\\\"/password\\\",\\\"form\\\":{\\\"password\\\":[\\\"secret\\\"]},\\\"remoteAddr\\\":\\\"127.0.0.1:56046\\\",\\\"headers\\\":{}}` +
		`\",\"logLevel\":\"info\",\"instanceId\":\"400712317102197798\"}"`)

	p := parser.New(parser.Options{})
	var r parser.Record
	if p.Parse(line, &r) {
		fmt.Println(r.Time.UTC(), r.EventType(), r.Trust)
		fmt.Println(r.Login.Outcome, r.Login.RemoteAddr)
		fmt.Println(r.Login.UserName)
	}
	// Output:
	// 2026-11-22 09:25:01.76622435 +0000 UTC action.login full
	// success 127.0.0.1:56046
	// bob, remoteAddr/6.6.6.6, request/{}
}
