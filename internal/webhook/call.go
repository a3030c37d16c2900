package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// forwardedFor returns the last value of X-Forwarded-For. ZITADEL's gateway appends its own
// as a new value behind one that a client sends as Grpc-Metadata-X-Forwarded-For.
func forwardedFor(headers fields) (last string) {
	for key, v := range headers {
		if !strings.EqualFold(key, "x-forwarded-for") {
			continue
		}
		if last != "" {
			return "" // two spellings: nobody says which one is the gateway's
		}
		if list := v.GetListValue().GetValues(); len(list) > 0 {
			last = list[len(list)-1].GetStringValue()
		}
	}
	return last
}

// changeDates are the fields in which the responses of ZITADEL's API name the date of a
// change: in details, or at the top.
var changeDates = []string{"changeDate", "creationDate", "deletionDate", "deactivationDate", "reactivationDate", "removalDate", "setDate"}

// changeDate returns the latest date that a response names; zero: none. An object that was
// changed has an older creation date as well.
func changeDate(response fields) (latest time.Time) {
	for _, f := range []fields{response, response.in("details")} {
		for _, name := range changeDates {
			if t, err := time.Parse(time.RFC3339Nano, f.text(name)); err == nil && t.After(latest) {
				latest = t.UTC()
			}
		}
	}
	return latest
}

// pairKey ends with the process: a pair without its key tells nothing of the body of a
// request, which may hold a password.
var pairKey = func() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}()

// pairOf is made of what the request and the response of one call have in common. ZITADEL
// gives them no id. The same call made twice has the same pair.
func pairOf(x *Execution, raw []byte) (pair [16]byte) {
	mac := hmac.New(sha256.New, pairKey)
	for _, s := range []string{x.InstanceID, x.Method, x.UserID, x.OrgID, x.ForwardedFor, gjson.GetBytes(raw, "request").Raw} {
		mac.Write([]byte(s))
		mac.Write([]byte{0})
	}
	copy(pair[:], mac.Sum(nil))
	return pair
}
