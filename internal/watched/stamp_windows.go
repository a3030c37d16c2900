package watched

import (
	"fmt"
	"os"
)

// Stamp is a text that differs when a file was replaced, written or removed. It
// does not see a change of the owner or of the rights.
func Stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "missing"
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}
