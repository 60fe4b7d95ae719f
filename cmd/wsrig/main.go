// Command wsrig tests WebSockets behind load balancers. It is every part of the rig
// in one binary: the runner, the chat node and the load generator.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"wsrig/testbed"
)

func main() {
	os.Setenv("PATH", testbed.WithSystemPrograms(os.Getenv("PATH"))) // never fails for this name
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
