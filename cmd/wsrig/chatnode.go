package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"wsrig/chatnode"
)

// newChatnodeCommand returns the subcommand that runs one chat node. SIGTERM or SIGINT
// drains it; a second one ends the process at once.
func newChatnodeCommand() *cobra.Command {
	cfg := chatnode.Default()
	listen := "127.0.0.1:8080"
	cmd := &cobra.Command{
		Use:   "chatnode",
		Short: "Run one chat node, the server that is put behind the proxies",
		Long: strings.TrimSpace(`
Run one chat node: GET /ws?room=R&name=N is its WebSocket, and / a chat page for people.
It also serves /healthz, /readyz, /metrics (Prometheus) and /connections (JSON).

Several nodes on one Redis are one chat. Its log goes to standard output, one JSON
object a line; the first says where it listens:

  {"msg":"listening","addr":"127.0.0.1:41234","node":"n1"}

SIGTERM and SIGINT drain it: /readyz turns 503, new handshakes are refused, and close
frames go out spread over the drain window. A second signal ends it at once.`),
		Example: `  wsrig chatnode --bus none                        # a chat of one node, on http://127.0.0.1:8080/
  wsrig chatnode --name n2 --listen :8082 --redis redis://10.0.0.5:6379 --ping-interval 25s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runChatnode(cmd.Context(), cfg, listen, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", listen, "`address` to listen on, host:port; port 0 takes a free one")
	f.StringVar(&cfg.Name, "name", cfg.Name, "name of this node, as clients see it")
	f.StringVar(&cfg.Bus, "bus", cfg.Bus, "how nodes share messages: redis, or none for a node alone")
	f.StringVar(&cfg.RedisURL, "redis", cfg.RedisURL, "`url` of Redis, redis://[user:password@]host:port[/db]")
	f.IntVar(&cfg.PublishQueue, "publish-queue", cfg.PublishQueue, "messages that may wait for the bus before clients are slowed down")
	f.DurationVar(&cfg.PingInterval, "ping-interval", cfg.PingInterval, "time between two pings to a client; 0 sends none")
	f.DurationVar(&cfg.PongWait, "pong-wait", cfg.PongWait, "drop a client that is silent this long; 0 never does")
	f.DurationVar(&cfg.WriteWait, "write-wait", cfg.WriteWait, "drop a client that takes no byte for this long while there is something to send")
	f.DurationVar(&cfg.CloseWait, "close-wait", cfg.CloseWait, "wait this long for the answer to a close frame")
	f.DurationVar(&cfg.JoinWait, "join-wait", cfg.JoinWait, "answer 503 to a handshake whose room Redis has not confirmed after this time")
	f.DurationVar(&cfg.HandshakeTimeout, "handshake-timeout", cfg.HandshakeTimeout, "time a TCP connection has to send its request")
	f.Int64Var(&cfg.MessageLimit, "message-limit", cfg.MessageLimit, "largest message in `bytes`; a larger one closes the connection with 1009")
	f.IntVar(&cfg.MaxConnections, "max-connections", cfg.MaxConnections, "answer 503 to more clients than this; 0 sets no limit")
	f.IntVar(&cfg.SendQueue, "send-queue", cfg.SendQueue, "messages that may wait for one client")
	f.StringVar(&cfg.SlowConsumer, "slow-consumer", cfg.SlowConsumer, "what to do when they are more: disconnect (1008) or drop-oldest")
	f.IntVar(&cfg.History, "history", cfg.History, "messages of a room that Redis keeps for browsers that come back; 0 keeps none")
	f.StringSliceVar(&cfg.Origins, "origins", cfg.Origins, "allowed Origin headers: host[:port] or scheme://host, * for all (default the node's own host)")
	f.BoolVar(&cfg.Compression, "compression", cfg.Compression, "offer permessage-deflate")
	f.DurationVar(&cfg.DrainWindow, "drain-window", cfg.DrainWindow, "time over which a drain spreads its close frames")
	f.IntVar(&cfg.DrainCode, "drain-code", cfg.DrainCode, "close `code` of a drain: 1012 (service restart) or 1001 (going away)")
	return cmd
}

// runChatnode serves until ctx ends or a signal comes. Standard output carries the log
// and nothing else.
func runChatnode(ctx context.Context, cfg chatnode.Config, listen string, stdout io.Writer) error {
	cfg.Log = slog.New(slog.NewJSONHandler(stdout, nil)).With("node", cfg.Name)
	node, err := chatnode.New(cfg)
	if err != nil {
		return fmt.Errorf("chatnode: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// From the first signal on, the next one has its default effect, whoever else
	// in this process listens to signals.
	undo := context.AfterFunc(ctx, func() { signal.Reset(syscall.SIGTERM, syscall.SIGINT) })
	defer undo()

	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("chatnode: %w; choose another address with --listen", err)
	}
	line := struct {
		Msg  string `json:"msg"`
		Addr string `json:"addr"`
		Node string `json:"node"`
	}{"listening", l.Addr().String(), cfg.Name}
	if err := json.NewEncoder(stdout).Encode(line); err != nil {
		l.Close()
		return fmt.Errorf("chatnode: write to standard output: %w", err)
	}
	return node.Serve(ctx, l)
}
