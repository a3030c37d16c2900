// Package packaging has the packages for Debian, Red Hat and Alpine, and the tests that
// install the first of them.
package packaging
