package keyfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = "a-signing-key/of+some_length="

func TestRead_TakesAFileAsAWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for content, want := range map[string]string{
		good:                                     "",
		"\n " + good + "\r\n\n" + good:           "",
		"":                                       "holds no key",
		" \n":                                    "holds no key",
		good + "\nshort":                         "less than 16 bytes",
		good + "\n# the key of the other target": "not a key",
		good + "\n" + strings.Repeat("é", 20):    "not a key",
		strings.Repeat(good+"\n", MaxKeys):       "",
		strings.Repeat(good+"\n", MaxKeys+1):     "more than 8 keys",
		strings.Repeat(good+"\n", 5000):          "too large",
	} {
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		keys, mode, err := Kind(Signing).Read(path)
		if mode.Perm() != 0o640 {
			t.Errorf("%.40q: mode %v", content, mode)
		}
		if want == "" {
			if err != nil || len(keys) != strings.Count(content, good) || string(keys[0]) != good {
				t.Errorf("%.40q: %d keys, %v", content, len(keys), err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || len(keys) > 0 {
			t.Errorf("%.40q: got %d keys and %v, want %q", content, len(keys), err, want)
		}
		if err != nil && strings.Contains(err.Error(), "other") {
			t.Errorf("%q repeats the content", err)
		}
	}
}

func TestKinds(t *testing.T) {
	for key, want := range map[string][2]bool{
		good:                        {true, true},
		"a.secret!of-the-script":    {false, true},
		"a secret of the script":    {false, false},
		"a-key-with-a-bell\a-in-it": {false, false},
	} {
		for i, kind := range []Kind{Signing, Secret} {
			if got := kind.Check([]byte(key)) == nil; got != want[i] {
				t.Errorf("kind %d takes %q: %v, want %v", i, key, got, want[i])
			}
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"siem": true, "A_b-9": true, "_x": true, strings.Repeat("a", MaxName): true,
		"": false, "-x": false, "a.b": false, "a~": false, "a/b": false, "ä": false, "a b": false, strings.Repeat("a", MaxName+1): false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
