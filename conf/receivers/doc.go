// Package receivers runs real receivers against the configurations in conf. Its module
// is separate, so that they are no dependencies of the program.
//
// VictoriaLogs takes the output of conf/loki.yaml, by the same push API. The real Loki
// has a module of its own in the directory loki; conf/loki_real_test.go runs it.
package receivers
