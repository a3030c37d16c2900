// Command release makes the files of a release that are the same each time they are
// made: archives with fixed owners, modes and dates, and container images as files.
// release.sh calls it.
//
//	release archive OUT.tar.gz|OUT.zip DIR
//	release image OUT.tar VERSION COMMIT ARCH=DIR...
//
// SOURCE_DATE_EPOCH is the date of every file, in seconds since 1970.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

const usage = "usage: release archive OUT.tar.gz|OUT.zip DIR, or release image OUT.tar VERSION COMMIT ARCH=DIR..."

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return errors.New("SOURCE_DATE_EPOCH must be the date of the commit, in seconds since 1970")
	}
	date := time.Unix(seconds, 0).UTC()
	switch {
	case len(args) == 3 && args[0] == "archive":
		return writeArchive(args[1], args[2], date)
	case len(args) > 4 && args[0] == "image":
		return writeImage(args[1], imageOf{version: args[2], commit: args[3], date: date}, args[4:])
	}
	return errors.New(usage)
}
