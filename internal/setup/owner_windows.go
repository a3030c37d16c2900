package setup

import (
	"io/fs"
	"os"
)

// chownLike does nothing: a new file inherits the rights of its directory.
func chownLike(*os.File, fs.FileInfo) error { return nil }
