// Package proxytest is what the tests of every proxy driver need: a small echo node,
// in this process or in one of its own, an Instance that runs a Unit as a local
// process, clients that see exactly how a WebSocket ended, and Conformance, the suite
// that a driver must pass. All traffic stays on 127.0.0.1.
package proxytest
