package input

import "testing"

// Fluent Bit deletes a chunk if it has no file left for the timer of its retry. With 600
// files, 3 to 10 of 4,000 chunks were lost for each half minute of an outage.
func TestLaw2_TooFewFilesAreWarnedOf(t *testing.T) {
	for n, want := range map[uint64]bool{0: false, 600: true, 1024: true, leastFiles - 1: true, leastFiles: false, 1 << 63: false} {
		if few := fewFiles(n); few != want {
			t.Errorf("%d files: %v", n, few)
		}
	}
}
