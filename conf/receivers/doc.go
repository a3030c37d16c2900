// Package receivers runs real receivers against the configurations in conf. Its module
// is separate, so that they are no dependencies of the program.
//
// Loki is not among them, because it is under the AGPL. VictoriaLogs takes the output of
// conf/loki.yaml, by the same push API; what only Loki does with it is not tested.
package receivers
