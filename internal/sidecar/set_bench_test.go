package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// What 10,000 sources cost at the start, before the first request, and at a reload in which
// nothing or one of them has changed.
func BenchmarkSet(b *testing.B) {
	const sources = 10_000
	list := func() []config.PullSettings {
		dir := b.TempDir()
		path := filepath.Join(dir, "config.yaml")
		text := "state_dir: " + dir + "\ndefaults: {url: \"http://127.0.0.1:1\", token: x, forward: 127.0.0.1:1, start: now}\nsources:\n"
		for i := range sources {
			text += fmt.Sprintf("- instance: customer-%05d\n", i)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		file, err := config.ReadSources(path, os.LookupEnv, config.ParseOptions{})
		if err != nil {
			b.Fatal(err)
		}
		return file.List
	}
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			all := list()
			b.StartTimer()
			set, err := Start(b.Context(), all, func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
				if err := s.MakeStateDir(); err != nil {
					return nil, err
				}
				return opener(ctx, s, hold)
			}, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := set.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("apply", func(b *testing.B) {
		set, err := Start(b.Context(), nil, func(ctx context.Context, _ config.PullSettings, hold Hold) (*Feed, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		set.Stays = true
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- set.Run(ctx) }()
		one, two := list(), []config.PullSettings(nil)
		for set.Apply(one).Added == 0 {
		}
		two = append(two, one...)
		two[7].PageSize++
		for b.Loop() {
			if did := set.Apply(two); did.Same < sources-1 {
				b.Fatal(did)
			}
		}
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	})
}
