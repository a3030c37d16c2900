package stores

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

func TestStoreThatIsAwayAtTheStartIsOpenedLater(t *testing.T) {
	away, opened := true, 0
	store := newLazy(func(context.Context) (cluster.Store, error) {
		if away {
			return nil, errors.New("connection refused")
		}
		opened++
		return clustertest.NewMemory(), nil
	})
	defer store.Close()
	if _, err := store.Look(t.Context()); err == nil || err.Error() != "connection refused" {
		t.Fatal(err)
	}
	away = false
	for range 2 {
		if _, err := store.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
}

func TestClosedStoreIsNotOpenedAgain(t *testing.T) {
	store := newLazy(func(context.Context) (cluster.Store, error) { t.Error("opened"); return nil, nil })
	store.Close()
	if _, err := store.Look(t.Context()); !errors.Is(err, errClosed) {
		t.Fatal(err)
	}
}

func TestWrongURLIsAnErrorBeforeAnyConnection(t *testing.T) {
	for _, url := range []string{"postgres://u@h:port/d", "etcd://h:2379/x?nothing=1", "postgres://u@h/d?password_file=/does/not/exist"} {
		if _, err := New(url); err == nil || !strings.HasPrefix(err.Error(), "state") && !strings.Contains(err.Error(), "password_file") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
