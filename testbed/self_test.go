package testbed_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"wsrig/testbed"
)

// playSelf plays this program's own parts, chatnode, loadgen and a proxy, when this
// binary was started as one; then it does not return. Each insists that what it
// needs is up before it: Up must start them in that order.
func playSelf() {
	if len(os.Args) < 2 {
		return
	}
	var err error
	switch os.Args[1] {
	case testbed.KeepNetworkCommand:
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err = testbed.KeepNetwork(ctx, os.Args[2:], os.Stdout)
	case "chatnode", "loadgen", "standinproxy":
		err = playPart(os.Args[1], os.Args[2:])
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func playPart(part string, args []string) error {
	f := flag.NewFlagSet(part, flag.ContinueOnError)
	listen := f.String("listen", "", "")
	name := f.String("name", "", "")
	bus := f.String("bus", "none", "")
	redis := f.String("redis", "", "")
	die := f.String("die", "", "node that dies at start")
	f.Bool("worker", false, "")
	f.Duration("ping-interval", 0, "")
	needs := f.String("needs", "", "addresses that must serve already")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *die != "" && *die == *name {
		return fmt.Errorf("dying as asked")
	}
	if part == "loadgen" && os.Getenv("WSRIG_TOKEN") == "" {
		return fmt.Errorf("no token")
	}
	up := strings.Split(*needs, ",")
	if *bus == "redis" {
		up = append(up, strings.TrimPrefix(*redis, "redis://"))
	}
	for _, addr := range up {
		if addr == "" {
			continue
		}
		conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			return fmt.Errorf("started too early: %w", err)
		}
		conn.Close()
	}
	return servePart(*listen)
}

func servePart(listen string) error {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/readyz", "/healthz"} {
		mux.HandleFunc(path, func(http.ResponseWriter, *http.Request) {})
	}
	mux.HandleFunc("/connections", func(w http.ResponseWriter, r *http.Request) {
		open := 7
		if r.FormValue("summary") != "1" {
			open = 0
		}
		json.NewEncoder(w).Encode(map[string]int{"open": open})
	})
	go http.Serve(l, mux)
	<-term
	return nil
}
