// Package config turns string properties, which come from Fluent Bit, flags and the
// environment, into typed settings. It reports everything that is wrong with them at
// once. Other packages take these settings as they are and do not check them again.
package config

import (
	"net/url"
	"time"
)

// Settings are those of one pulled instance, checked and with defaults filled in.
type Settings struct {
	URL       *url.URL // scheme and host[:port], nothing else
	Transport string   // "grpc" or "rest"
	Insecure  bool     // http to other hosts than loopback is allowed
	CAFile    string

	Token            Secret // exactly one way to authenticate is set
	TokenFile        string
	KeyFile          string
	ClientID         string
	ClientSecretFile string

	Instance string // label; never empty, no "/"
	Start    Start
	End      time.Time // zero: never

	PollInterval   time.Duration
	Settle         time.Duration
	Overlap        time.Duration
	Sweep          time.Duration // 0: off
	RequestTimeout time.Duration
	CommitDelay    time.Duration
	PageSize       int // events asked for at once, 1..1000
	BufferSize     int // limit of bytes that are read and not acknowledged

	EventTypes        []string
	ExcludeEventTypes []string
	AggregateTypes    []string
	AggregateIDs      []string
	ResourceOwners    []string
	EditorUserIDs     []string
	ExcludeOwn        bool

	StatePath string
	StateDir  string // StatePath is in a sub-directory of it, which [Settings.MakeStateDir] makes; empty: no
	TagBy     string // "none", "aggregate_type" or "event_type"
	Redact    bool
	Language  string        // Accept-Language of localized names
	Heartbeat time.Duration // 0: never

	Format   FormatSettings
	MaxChunk ChunkSettings
	Enrich   EnrichSettings
	Listen   ListenSettings
}

// OutputSettings are those of the Fluent Bit output and of `zitadel-siem parse`, checked
// and with defaults filled in.
type OutputSettings struct {
	Forward Forward // the zero value only if ParseOptions.NeedForward is not set
	// SharedKey is also set from SharedKeyFile, unless ParseOptions.NoFiles is set.
	SharedKey     Secret
	SharedKeyFile string
	CAFile        string
	CertFile      string // CertFile and CertKeyFile are set together
	CertKeyFile   string
	Insecure      bool // tcp to other hosts than loopback is allowed

	LineKeys []string // at least one
	Kinds    []string // known ones, without "all"; at least one
	Raw      bool
	Instance string // label; empty: the instance that the line names
	Tag      string // empty: that of the incoming chunk
	Format   FormatSettings
	MaxChunk ChunkSettings

	AckTimeout   time.Duration
	SelfHostname string // empty: that of the machine
	ChunkSize    int    // bytes of records in one message
}

// Start is the point at which a reader without a state begins. Exactly one field is set.
type Start struct {
	Beginning bool
	Now       bool
	At        time.Time
	Back      time.Duration // this long before the first start
}
