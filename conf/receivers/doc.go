// Package receivers runs real receivers against the configurations in conf. Its module
// is separate, so that they are no dependencies of the program.
package receivers
