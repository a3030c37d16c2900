package cluster

import (
	"fmt"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// maxPassword is more than any store takes.
const maxPassword = 64 << 10

// Password reads the password_file of a store's URL. It is for packages that implement [Store].
func Password(path string) (string, error) {
	b, _, err := bounded.ReadFile(path, maxPassword)
	if err != nil {
		return "", fmt.Errorf("state: password_file %q: %w; name a file with the password alone", path, err)
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" {
		return "", fmt.Errorf("state: password_file %q is empty: write the password into it", path)
	}
	return password, nil
}
