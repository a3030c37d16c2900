// Package images has the test of Dockerfile and Dockerfile.fluent-bit: `make images` builds
// both and runs what is in them. It needs root, podman and mmdebstrap, and takes minutes,
// so that it is not part of make test.
package images
