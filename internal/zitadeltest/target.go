package zitadeltest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Target is an Actions V2 target: each event is sent to it once, signed, and is lost
// unless it is accepted.
type Target struct {
	URL string // with the path
	Key string // its signing key

	client http.Client
}

// NewTarget returns a target with a timeout of 5 s.
func NewTarget(url, key string) *Target {
	return &Target{URL: url, Key: key, client: http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// Happen stores one transaction and sends its events. It returns how many of
// them were answered with 200.
func (t *Target) Happen(store *Store, events []Event) (taken int) {
	store.Append(events...)
	keys := store.Keys()
	for i, k := range keys[len(keys)-len(events):] {
		e := events[i]
		e.Sequence = k.Sequence
		taken += t.Ahead(e)
	}
	return taken
}

// Ahead sends events that need not be stored yet, with the sequences that they have. It
// returns how many of them were answered with 200.
func (t *Target) Ahead(events ...Event) (taken int) {
	for _, e := range events {
		body, err := json.Marshal(map[string]any{
			"aggregateID": e.AggregateID, "aggregateType": e.AggregateType, "resourceOwner": e.ResourceOwner, "instanceID": "1", "version": "v2",
			"sequence": e.Sequence, "event_type": e.Type, "created_at": e.CreatedAt.UTC().Format(time.RFC3339Nano), "userID": e.EditorID, "event_payload": e.Payload.AsMap(),
		})
		if err != nil {
			panic("zitadeltest: payload of " + e.Type + ": " + err.Error())
		}
		if t.Post(body) {
			taken++
		}
	}
	return taken
}

// Post sends a body, signed now, and reports whether it was answered with 200.
func (t *Target) Post(body []byte) bool {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(t.Key))
	fmt.Fprintf(mac, "%s.%s", at, body)
	req, err := http.NewRequest(http.MethodPost, t.URL, bytes.NewReader(body))
	if err != nil {
		panic("zitadeltest: " + err.Error())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("ZITADEL-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := t.client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
