package forward_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// A real forward input with TLS and a shared key.
func TestFluentBit_HandshakeAndAck(t *testing.T) {
	ca := testkit.NewAuthority(t)
	cert, key := ca.Issue(t, "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // as far as one can know, it is free now
	_, port, _ := net.SplitHostPort(address)
	f := plugintest.StartFluentBit(t, "receiver.yaml", []string{"PORT=" + port, "CERT=" + cert, "KEY=" + key})
	send := func(change func(*config.OutputSettings)) error {
		o := config.OutputSettings{
			Forward: config.Forward{Network: "tcp", Address: address, TLS: true, Host: "127.0.0.1"}, CAFile: ca.File(),
			SharedKey: "s3cr3t-key", AckTimeout: 2 * time.Second,
		}
		if change != nil {
			change(&o)
		}
		s, err := forward.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		record := document.AppendEventHead(nil, time.Unix(1_750_000_000, 0))
		record = msgp.AppendMapHeader(record, 1)
		record = msgp.AppendString(msgp.AppendString(record, "key"), "value")
		return s.Send(t.Context(), "a.tag", record, 1)
	}
	f.Until("the input to listen", func() bool { return strings.Contains(f.Log.String(), "listening on") })
	if err := send(nil); err != nil {
		t.Error(err)
	}
	for part, change := range map[string]func(*config.OutputSettings){
		"`shared_key`: set the same on both sides": func(o *config.OutputSettings) { o.SharedKey = "s3cr3t-other" },
		"asks for a shared key":                    func(o *config.OutputSettings) { o.SharedKey = "" },
		"unknown authority":                        func(o *config.OutputSettings) { o.CAFile = "" },
		"not for siem.example.com":                 func(o *config.OutputSettings) { o.Forward.Host = "siem.example.com" },
		"tls":                                      func(o *config.OutputSettings) { o.Forward.TLS = false },
	} {
		err := send(change)
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v does not say %q", err, part)
		}
		t.Log(err)
	}
	f.Until("the record", func() bool { return len(f.Lines("records")) > 0 })
	f.Stop()
	if got := f.Lines("records"); len(got) != 1 || got[0] != `{"key":"value"}`+"\n" {
		t.Errorf("got %q", got)
	}
}
