package webhook

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"
)

var signedAt = time.Unix(1795339775, 0)

const (
	keyA = "S1Tr4d7TxPZoL6Ou2GlvwEHWDbGYHMFOAXul"
	keyB = "BPSArF4SG0cddLgOqdUVAqT4n2O6i0FaOt8U"
)

// What ZITADEL's own function signs, with one key or two, is taken by either key.
func TestSignature_OfZITADEL(t *testing.T) {
	body := []byte(`{"a":1}`)
	for _, c := range []struct {
		signers, keys []string
		want          bool
	}{
		{[]string{keyA}, []string{keyA}, true},
		{[]string{keyA}, []string{keyB}, false},
		{[]string{keyA}, []string{keyB, keyA}, true},
		{[]string{keyA, keyB}, []string{keyB}, true},
		{[]string{keyB, keyA}, []string{keyB}, true},
		{[]string{keyA, keyA}, []string{keyA}, true},
		{[]string{keyA}, nil, false},
	} {
		s, ok := parseSignature(actions.ComputeSignatureHeader(signedAt, body, c.signers...))
		if !ok || s.t != signedAt.Unix() {
			t.Fatalf("%v: %+v", c.signers, s)
		}
		var keys [][]byte
		for _, k := range c.keys {
			keys = append(keys, []byte(k))
		}
		if s.by(keys, body) != c.want || s.by(keys, append(body, ' ')) {
			t.Errorf("%v by %v: not %v", c.signers, c.keys, c.want)
		}
	}
}

// One signature has one form.
func TestSignature_IsStrict(t *testing.T) {
	good := actions.ComputeSignatureHeader(signedAt, []byte("x"), keyA)
	mac := good[strings.Index(good, "v1="):]
	for _, ok := range []string{good, good + ",v2=abc", "k=1," + good, mac + ",t=1795339775", good + "," + mac} {
		if _, is := parseSignature(ok); !is {
			t.Errorf("%q is refused", ok)
		}
	}
	for _, bad := range []string{
		"", "t=1795339775", mac, "t=1795339775,", "," + good, good + ",", "t=1795339775,t=1795339775," + mac, "t=1," + good, "T=1795339775," + mac,
		"t=01795339775," + mac, "t=+1795339775," + mac, "t=-1795339775," + mac, "t=1795339775.0," + mac, "t=0," + mac, "t=," + mac, "t=9999999999999," + mac, "t=0x1," + mac,
		"t= 1795339775," + mac, "t=1795339775, " + mac, " " + good, good + " ", strings.ToUpper(good), "t=1795339775," + mac[:len(mac)-1], "t=1795339775," + mac + "0", "t=1795339775,v1=",
		"t=1795339775,v1=" + strings.ToUpper(mac[3:]), "t=1795339775,v1=" + strings.Repeat("g", 64), good + strings.Repeat(","+mac, maxSignatures), good + "," + strings.Repeat("x", maxSignatureHeader), good + ",x", good + ",=x",
	} {
		if _, is := parseSignature(bad); is {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestSignature_Tolerance(t *testing.T) {
	s := signature{t: signedAt.Unix()}
	for off, want := range map[time.Duration]bool{0: true, 300 * time.Second: true, -300 * time.Second: true, 301 * time.Second: false, -301 * time.Second: false, 1 << 62: false, -1 << 62: false} {
		if got := s.within(signedAt.Add(off), tolerance); got != want {
			t.Errorf("%v: %v", off, got)
		}
	}
	if (&signature{t: 999_999_999_999}).within(signedAt, tolerance) || (&signature{t: 1}).within(signedAt, tolerance) {
		t.Error("centuries are tolerated")
	}
}

func TestSecret(t *testing.T) {
	secrets := [][]byte{[]byte(keyA), []byte(keyB)}
	for given, want := range map[string]bool{keyA: true, keyB: true, "": false, keyA[1:]: false, keyA + "x": false, keyA + "," + keyB: false, strings.ToUpper(keyA): false} {
		if secretFits(secrets, given) != want {
			t.Errorf("%q: not %v", given, want)
		}
	}
	if secretFits(nil, "") {
		t.Error("no secret fits nothing")
	}
}

// Whatever we take, ZITADEL's own function takes too, in all but the time; what it would take for
// more than one form we may refuse.
func FuzzSignature(f *testing.F) {
	for _, keys := range [][]string{{keyA}, {keyB}, {keyB, keyA}} {
		f.Add(actions.ComputeSignatureHeader(signedAt, []byte(`{"a":1}`), keys...), []byte(`{"a":1}`))
	}
	f.Add("t=1,v1=", []byte{})
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		s, ok := parseSignature(header)
		ours := ok && s.by([][]byte{[]byte(keyA)}, body)
		theirs := actions.ValidatePayloadWithTolerance(body, header, keyA, 1<<63-1) == nil
		if ours && !theirs {
			t.Fatalf("only we take %q of %q", header, body)
		}
		if theirs && !ours && header == actions.ComputeSignatureHeader(signedAt, body, keyA) {
			t.Fatalf("we do not take %q of %q", header, body)
		}
		if ok {
			other := append(bytes.Clone(body), 0)
			if s.id(body) == s.id(other) || ours && s.by([][]byte{[]byte(keyA)}, other) {
				t.Fatal("another body is the same")
			}
		}
	})
}
