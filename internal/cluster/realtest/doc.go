// Package realtest runs internal/cluster against a real PostgreSQL and a real etcd of three
// members, and processes of zitadel-siem that share sources through them. It has a go.mod of its
// own, so that the etcd server is no dependency of the program.
package realtest
