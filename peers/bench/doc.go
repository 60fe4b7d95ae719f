//go:build linux

// Command bench measures load generators, and this machine's part in their figures,
// side by side in one run: "bench peers" compares wsrig loadgen with other generators
// on the same work against the same server, "bench scale" holds wsrig against its
// targets. It needs Linux: /proc, taskset(1) and process groups.
package main
