// Package loadgen is the measuring side: it opens WebSocket clients, publishes on a
// schedule that never waits for answers (open loop), and records what every client
// really saw.
//
// A Fleet owns the clients of one process. It is driven directly by the stand-alone
// command, or by a Worker, a small HTTP control API that the runner talks to
// through a Remote. The connections themselves belong to an Engine.
//
// All times are nanoseconds of CLOCK_MONOTONIC (wire.Now), which the processes of
// one host share. Latency counts from the intended time of an action, so a
// generator or a server that falls behind is seen in it.
package loadgen
