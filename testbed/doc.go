// Package testbed says what runs and where. A Unit is a program as it is asked
// for; a Runtime (local processes, later containers) turns it into an Instance.
// Up starts the units of one cell (Redis, nodes, proxy, load workers) in order,
// each ready before the next, and Testbed.Close ends them in reverse, always.
package testbed
