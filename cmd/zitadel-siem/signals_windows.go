package main

import "os"

// reloadSignals is empty: Windows has no SIGHUP. A change of the files is seen there, too.
var reloadSignals []os.Signal
