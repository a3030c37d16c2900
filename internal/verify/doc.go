// Package verify compares a SIEM's copy of the audit trail with ZITADEL.
//
// It reads a span of time from ZITADEL with the reader of `pull`, and keeps 24 bytes of each
// event: a hash of its id, a hash of the record that this program makes of it, and its date.
// Then it reads the copy and looks up each record. What does not match is looked at again:
// the span is read a second time around the events in question, and the records are compared
// field by field. Memory is bounded by the number of events; records that differ wait in an
// unlinked temporary file.
//
// What it promises: a record that is missing, foreign, doubled or altered is reported, however
// the exporter ordered keys or wrote numbers. The hashes have a random seed, so that nobody can
// make two records with one hash. Values of records are never reported, only the names of fields.
//
// What it cannot promise: anything about events that ZITADEL hides (retention), about fields
// that the event does not determine (see fields.go), and about records that no event has, such
// as API calls and lines of the log.
package verify
