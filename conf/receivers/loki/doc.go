// Package loki pins the real Grafana Loki for a test. It holds no code: its go.mod has
// Loki as a tool, and a test of package conf (with the tag receivers) builds Loki from the
// module proxy and starts it as a process of its own.
//
// Loki is under the AGPL. It is a test tool only: nothing of it is linked into what is
// built here, and nothing of it is shipped. Its module is separate from that of
// VictoriaLogs, so that Loki is built with the versions that its own go.mod names.
package loki
