// Package wire holds what a chat node and a load generator agree on and nothing
// else: the stamp at the start of every measured message body, the envelope in
// which a node delivers a message, and the clock both are counted on.
package wire
