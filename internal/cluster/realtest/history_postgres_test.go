package realtest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// The table history has a row for each change of a row of zitadel_siem_source. That its own program
// name is in the URL of each member tells who it was.
const triggers = `
CREATE TABLE history (
	id bigserial PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	by text NOT NULL DEFAULT current_setting('application_name'),
	instance text NOT NULL, was text, holder text, fence bigint, number bigint,
	taken bool NOT NULL, committed bool NOT NULL, over bool NOT NULL
);
CREATE TABLE history_lease (lease text PRIMARY KEY, note text NOT NULL);
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO history (instance, was, holder, fence, number, taken, committed, over)
	VALUES (NEW.instance, OLD.holder, NEW.holder, NEW.fence, NEW.number, NEW.fence <> OLD.fence, NEW.number <> OLD.number,
		OLD.holder IS NOT NULL AND NOT EXISTS (SELECT FROM zitadel_siem_member WHERE lease = OLD.holder));
	RETURN NULL;
END $$;
CREATE FUNCTION tell_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO history_lease VALUES (NEW.lease, NEW.note);
	RETURN NULL;
END $$;
CREATE TRIGGER tell_change AFTER UPDATE ON zitadel_siem_source FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE TRIGGER tell_lease AFTER INSERT ON zitadel_siem_member FOR EACH ROW EXECUTE FUNCTION tell_lease();
`

func (s *postgresServer) record(t testing.TB) (read func() history) {
	s.open(t).Close() // which creates the tables
	s.sql(t, triggers)
	return func() history { return s.history(t) }
}

func (s *postgresServer) history(t testing.TB) history {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	h := history{names: map[string]string{}}
	rows, _ := conn.Query(ctx, `SELECT lease, note FROM history_lease`)
	var lease, note string
	if _, err := pgx.ForEachRow(rows, []any{&lease, &note}, func() error {
		h.names[lease] = nameIn([]byte(note))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rows, _ = conn.Query(ctx, `SELECT at, by, instance, coalesce(was, ''), coalesce(holder, ''), fence, number, taken, committed, over FROM history ORDER BY id`)
	var c change
	var was, holder string
	var isTaken, isCommitted, isOver bool
	if _, err := pgx.ForEachRow(rows, []any{&c.at, &c.by, &c.instance, &was, &holder, &c.fence, &c.number, &isTaken, &isCommitted, &isOver}, func() error {
		add := func(kind kind, lease string) {
			c.kind, c.lease = kind, lease
			h.changes = append(h.changes, c)
		}
		if was != holder && was != "" && isOver {
			add(over, was)
		} else if was != "" && holder == "" {
			add(released, was)
		}
		if isTaken {
			add(taken, holder)
		}
		if isCommitted {
			add(committed, holder)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return h
}

func nameIn(note []byte) string {
	var n cluster.Note
	_ = json.Unmarshal(note, &n) // without a name it fits no member
	return hostIn(n.Name)
}
