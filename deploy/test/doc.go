// Package deploy tests deploy/: the Helm chart, the Kustomize base, docker compose and the
// values and objects for other charts. It is a module of its own, so that Helm and
// Kubernetes are no dependencies of the program. `make deploy-test` runs it.
package deploy
