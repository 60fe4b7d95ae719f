// Command echo is the server that load generators are compared on. It sends every
// message back and counts what it sees, so that each generator is judged by the same
// observer and not by its own word.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until SIGTERM or SIGINT. Exit codes: 0 done, 2 usage, 4 it could not serve.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serve(ctx, *listen, stdout); err != nil {
		fmt.Fprintln(stderr, "echo:", err)
		return 4
	}
	return 0
}

// serve answers /ws (echo), /paced (echo, and the time of each message is kept) and
// /stats. When ctx ends it resets all connections, so that none is left in TIME_WAIT
// on either side.
func serve(ctx context.Context, listen string, stdout io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -listen", err)
	}
	seen := newObserver()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) { seen.echo(w, r, nil) })
	mux.HandleFunc("GET /paced", func(w http.ResponseWriter, r *http.Request) { seen.echo(w, r, &seen.arrivals) })
	mux.HandleFunc("GET /stats", seen.stats)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 30 * time.Second}
	if err := json.NewEncoder(stdout).Encode(map[string]string{"msg": "listening", "addr": l.Addr().String()}); err != nil {
		return errors.Join(fmt.Errorf("say where it listens: %w", err), l.Close())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		err = server.Close()
		<-served
	}
	seen.resetAll()
	return err
}
