package durable

// NoFollow is no flag on Windows, where creating a symbolic link needs a privilege.
const NoFollow = 0

// ReplacesOpenFiles says whether a file can be replaced while it is open. Files that Go
// opens do not allow it on Windows.
const ReplacesOpenFiles = false

// SyncDir does nothing: Windows cannot flush a directory. NTFS keeps names in a
// journal, which a power cut can cut: the old name then comes back, as it can
// between [Draft.Replace] and SyncDir elsewhere.
func SyncDir(string) error { return nil }
