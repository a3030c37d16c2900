package output

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Chunks of recorded lines, about 1 MB each as Fluent Bit makes them, to a
// receiver that acknowledges at once.
func BenchmarkFlush(b *testing.B) {
	kubernetes := map[string]any{
		"pod_name": "zitadel-7d9f8b6c5-x2x9k", "namespace_name": "iam", "pod_id": "0e4f6f1c-7f4e-4c31-9ad0-0c1b6f2f5d11", "host": "node-1",
		"container_name": "zitadel", "docker_id": "f3c1a9f4c1e54a2b8f3c", "container_image": "ghcr.io/zitadel/zitadel:v4.0.0",
		"labels":      map[string]any{"app.kubernetes.io/name": "zitadel", "app.kubernetes.io/instance": "prod", "pod-template-hash": "7d9f8b6c5"},
		"annotations": map[string]any{"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
	}
	for _, bench := range []struct {
		name  string
		files string
		kinds parser.Kinds
		body  map[string]any
	}{
		{"logins", "0*.stderr", parser.DefaultKinds, map[string]any{"stream": "stderr"}},
		{"logins-kubernetes", "0*.stderr", parser.DefaultKinds, map[string]any{"stream": "stderr", "kubernetes": kubernetes}},
		{"mixed-all", "mixed.stderr.gz", parser.AllKinds, map[string]any{"stream": "stderr"}},
		{"mixed-unwanted", "mixed.stderr.gz", parser.DefaultKinds, map[string]any{"stream": "stderr"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			lines := recorded(b, bench.files)
			var chunk []byte
			records := 0
			for ; len(chunk) < 1<<20; records++ {
				bench.body["log"] = lines[records%len(lines)]
				chunk = appendEvent(b, chunk, nil, bench.body)
			}
			srv := forwardtest.Start(b, forwardtest.Options{Forget: true})
			s, err := forward.New(config.OutputSettings{Forward: srv.Forward(), AckTimeout: 10 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			f := New(Options{LineKeys: []string{"log", "message"}, Parser: parser.Options{Kinds: bench.kinds}, ChunkSize: 2 << 20,
				Send: s.Send, Log: slog.New(slog.DiscardHandler)})
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				if f.Flush(context.Background(), "t", chunk) != OK {
					b.Fatal("not acknowledged")
				}
			}
			b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
