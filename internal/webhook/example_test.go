package webhook_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// An endpoint, its spool, and who takes messages out of it: done is what the sink has acknowledged.
func Example() {
	queue, err := spool.Open("/var/lib/zitadel-siem/spool", spool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer queue.Close()
	values := map[string]string{"url": "https://zitadel.example.com", "token_file": "/etc/zitadel-siem/token", "state_path": "/var/lib/zitadel-siem/state",
		"webhook_listen": ":8443", "webhook_keys_dir": "/etc/zitadel-siem/keys", "webhook_cert_file": "cert.pem", "webhook_cert_key_file": "key.pem"}
	settings, _, err := config.Input.Parse(func(name string) string { return values[name] }, config.ParseOptions{})
	if err != nil {
		log.Fatal(err)
	}
	endpoint, err := webhook.New(settings, queue, slog.Default())
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", settings.Listen.Address)
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = endpoint.Serve(context.Background(), l) }()

	for {
		entry, err := queue.Next(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		message, err := webhook.Decode(entry.Data)
		if err != nil {
			log.Fatal(err)
		}
		switch m := message.(type) {
		case *webhook.Event:
			r := events.FromEvent(m.Event, "demo", m.Received)
			payload.Record(&r)
			fmt.Println(r.ID())
		case *webhook.Execution:
			r := m.Record("demo")
			fmt.Println(r.ID())
		case *webhook.Login:
			m.Record.Instance = "demo"
			fmt.Println(m.Record.ID())
		}
		if err := queue.Done(entry.Number); err != nil {
			log.Fatal(err)
		}
	}
}
