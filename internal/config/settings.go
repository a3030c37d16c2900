// Package config turns string properties, as Fluent Bit, flags and the
// environment give them, into typed settings, and says everything that is
// wrong with them at once.
package config

import (
	"net/url"
	"time"
)

// Settings of one pulled instance, checked and complete with defaults.
type Settings struct {
	URL       *url.URL // scheme and host[:port], nothing else
	Transport string   // "grpc" or "rest"
	Insecure  bool     // http to other hosts than loopback was asked for
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
	RequestTimeout time.Duration
	CommitDelay    time.Duration
	PageSize       int // events asked for at once, 1..1000
	BufferSize     int // bytes under way, at most

	EventTypes        []string
	ExcludeEventTypes []string
	AggregateTypes    []string
	AggregateIDs      []string
	ResourceOwners    []string
	EditorUserIDs     []string
	ExcludeOwn        bool

	StatePath string
	TagBy     string // "none", "aggregate_type" or "event_type"
	Redact    bool
	Language  string        // Accept-Language of localized names
	Heartbeat time.Duration // 0: never

	Listen ListenSettings
}

// OutputSettings are those of the Fluent Bit output and of `zitadel-siem
// parse`, checked and complete with defaults.
type OutputSettings struct {
	Forward Forward // the zero value only where ParseOptions.NeedForward is not set
	// SharedKey is set from SharedKeyFile too, unless ParseOptions.NoFiles.
	SharedKey     Secret
	SharedKeyFile string
	CAFile        string
	CertFile      string // CertFile and CertKeyFile are set together
	CertKeyFile   string
	Insecure      bool // tcp to other hosts than loopback was asked for

	LineKeys []string // at least one
	Kinds    []string // known ones, without "all"; at least one
	Raw      bool
	Instance string // label; empty: the instance that the line names
	Tag      string // empty: that of the incoming chunk

	AckTimeout   time.Duration
	SelfHostname string // empty: that of the machine
	ChunkSize    int    // bytes of records in one message
}

// Start is where a reader without a state begins. Exactly one field is set.
type Start struct {
	Beginning bool
	Now       bool
	At        time.Time
	Back      time.Duration // this long before the first start
}
