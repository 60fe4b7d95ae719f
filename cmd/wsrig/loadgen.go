package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wsrig/internal/result"
	"wsrig/internal/scenario"
	"wsrig/loadgen"
)

// loadgenOptions are the flags of wsrig loadgen.
type loadgenOptions struct {
	load              loadgen.Load
	rate, connectRate string
	keepalive         string
	header            []string
	noPong            bool
	rateGiven         bool // --rate was set; the closed loop has no ceiling otherwise
	asJSON            bool
	engine            string
	worker            bool
	listen            string
}

func newLoadgenCommand() *cobra.Command {
	var o loadgenOptions
	cmd := &cobra.Command{
		Use:   "loadgen --url URL",
		Short: "Open WebSocket clients to any server and measure what they see",
		Long: `Open clients to a server that relays text frames, publish at a rate that does not wait
for answers, and print what each client got: handshakes, delivery latency from the
intended time, and a ledger of what was lost, doubled or out of order.

The URL may hold {client}, {name} and {room}, a client's number, name and room, and so
may the values of --header, --cookie and --visit. --relay says who should get what a
client publishes: the room (a chat), all, or self (an echo server).

With --visit each client first gets a page, as a browser does that logs in or is given
a sticky session, and takes the cookies that it has then into its handshake.

Exit code 1 when a message was lost or misrouted or a handshake failed, 3 when the
figures prove nothing.`,
		Example: `  wsrig loadgen --url 'ws://127.0.0.1:8080/ws?room={room}&name={name}' --clients 500 --rooms 5 --rate 100/s --for 10s
  wsrig loadgen --url wss://echo.example/ --relay self --clients 50 --rate 1000/s --for 30s --json
  wsrig loadgen --url wss://chat.example/ws --visit 'https://chat.example/login?user={name}' --cookie lang=en --clients 50`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.worker {
				return serveWorker(cmd.Context(), o, cmd.OutOrStdout())
			}
			o.rateGiven = cmd.Flags().Changed("rate")
			return runLoad(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.load.URL, "url", "", "`url` to connect to, ws:// or wss://")
	f.StringVar(&o.load.Relay, "relay", loadgen.RelayRoom, "who gets what a client publishes: room, all or self")
	f.IntVar(&o.load.Clients, "clients", 100, "clients to open")
	f.StringVar(&o.connectRate, "connect-rate", "200/s", "`rate` of handshakes")
	f.IntVar(&o.load.InFlight, "connect-in-flight", 0, "most handshakes under way at once; the others wait (default no limit)")
	f.IntVar(&o.load.Rooms, "rooms", 1, "rooms that the clients are spread over")
	f.StringVar(&o.rate, "rate", "50/s", "`rate` of messages, of all publishers together; 0 only idles")
	f.StringVar(&o.load.Loop, "loop", loadgen.LoopOpen, "open, or closed: each publisher waits for its own message before the next, and --rate is only a ceiling (default none)")
	f.DurationVar(&o.load.For, "for", 10*time.Second, "how long to publish or idle")
	f.StringVar(&o.load.Arrival, "arrival", loadgen.ArrivalConstant, "arrivals: constant or poisson")
	f.IntVar(&o.load.Size, "size", 128, "`bytes` of a message")
	f.IntVar(&o.load.Publishers, "publishers", 0, "clients that publish (default one for each room)")
	f.DurationVar(&o.load.Grace, "grace", 2*time.Second, "a delivery later than this is late")
	f.StringVar(&o.keepalive, "keepalive", "none", "none, or \"client-ping 10s\"")
	f.BoolVar(&o.noPong, "no-pong", false, "never answer pings")
	f.DurationVar(&o.load.Timeout, "timeout", 10*time.Second, "longest handshake, and longest visit")
	f.StringArrayVar(&o.header, "header", nil, "`\"Name: value\"` to send with the handshake; may be repeated")
	f.StringArrayVar(&o.load.Cookies, "cookie", nil, "`NAME=VALUE` of a cookie for the host of the URL; may be repeated")
	f.StringVar(&o.load.CookieJar, "cookie-jar", "", "`file` of cookies to begin with, in the format that curl -c writes; it is only read")
	f.StringVar(&o.load.Visit, "visit", "", "http:// or https:// `url` that each client gets before its handshake, with a cookie jar of its own")
	f.StringSliceVar(&o.load.Subprotocol, "subprotocol", nil, "subprotocols to offer")
	f.BoolVar(&o.load.Insecure, "insecure", false, "do not verify the server's certificate")
	f.StringVar(&o.load.CAFile, "ca", "", "PEM `file` of certificate authorities to trust beside the system's")
	f.Uint64Var(&o.load.Seed, "seed", 0, "seed of everything that is drawn (default a new one)")
	f.BoolVar(&o.asJSON, "json", false, "print JSON on standard output")
	f.StringVar(&o.engine, "engine", "auto", "client engine: "+loadgen.EngineNames()+"; auto takes epoll for ws:// on Linux")
	f.BoolVar(&o.worker, "worker", false, "serve the control API instead, with the token in WSRIG_TOKEN")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "`address` of the control API, with --worker")
	return cmd
}

// serveWorker is what the runner starts.
func serveWorker(ctx context.Context, o loadgenOptions, out io.Writer) error {
	engine, err := loadgen.NewEngine(o.engine)
	if err != nil {
		return usageError{fmt.Errorf("--engine: %w", err)}
	}
	w, err := loadgen.NewWorker(os.Getenv("WSRIG_TOKEN"), engine)
	if err != nil {
		return usageError{err}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("worker: %w; choose another address with --listen", err)
	}
	fmt.Fprintf(out, "{\"msg\":\"listening\",\"addr\":%q}\n", l.Addr())
	return w.Serve(ctx, l)
}

// parse turns the flags' texts into a Load; every mistake at once.
func (o *loadgenOptions) parse() (loadgen.Load, error) {
	l := o.load
	var errs []error
	rate := func(flag, text string, into *float64) {
		if text == "0" {
			return
		}
		if !strings.Contains(text, "/") {
			text += "/s" // --rate 100 reads like other generators'
		}
		var r scenario.Rate
		if err := r.UnmarshalText([]byte(text)); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
		*into = float64(r)
	}
	rate("rate", o.rate, &l.Rate)
	rate("connect-rate", o.connectRate, &l.ConnectRate)
	var k scenario.Keepalive
	switch err := k.UnmarshalText([]byte(o.keepalive)); {
	case err != nil:
		errs = append(errs, fmt.Errorf("--keepalive: %w", err))
	case k.By == scenario.NodePing:
		errs = append(errs, errors.New("--keepalive: pings of the server are the server's matter; use none or client-ping INTERVAL"))
	}
	l.Keepalive = loadgen.Keepalive{Kind: k.By, Every: k.Every}
	l.NoPong = o.noPong
	l.Header = map[string][]string{}
	for _, h := range o.header {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			errs = append(errs, fmt.Errorf("--header %q: write it as \"Name: value\"", h))
			continue
		}
		l.Header[strings.TrimSpace(name)] = append(l.Header[strings.TrimSpace(name)], strings.TrimSpace(value))
	}
	if l.Loop == loadgen.LoopClosed && !o.rateGiven {
		l.Rate = 0
	}
	if l.Seed == 0 {
		l.Seed = rand.Uint64()>>11 | 1
	}
	if err := errors.Join(append(errs, l.Validate())...); err != nil {
		return l, usageError{err}
	}
	return l, nil
}

func runLoad(cmd *cobra.Command, o loadgenOptions) error {
	l, err := o.parse()
	if err != nil {
		return err
	}
	engine, err := loadgen.NewEngine(o.engine)
	if err != nil {
		return usageError{fmt.Errorf("--engine: %w", err)}
	}
	show := newProgress(cmd.ErrOrStderr(), 1)
	bars := &stepBars{show: show, label: "loadgen"}
	s, err := l.Run(cmd.Context(), engine(), bars.set)
	bars.end()
	show.Close()
	if err != nil {
		return fmt.Errorf("%w: %w", errTestbed, err)
	}
	status, reasons := judgeLoad(s)
	if o.asJSON {
		err = printLoadJSON(cmd.OutOrStdout(), s, l, status, reasons)
	} else {
		err = printLoad(cmd.OutOrStdout(), s, l, status, reasons)
	}
	if err != nil {
		return err
	}
	switch status {
	case result.Fail:
		return exitCode(exitFail)
	case result.Inconclusive:
		return exitCode(exitInconclusive)
	}
	return nil
}

// stepBars shows one bar after the other.
type stepBars struct {
	show  progress
	label string
	step  string
	bar   scenario.ProgressBar
}

func (b *stepBars) set(step string, p loadgen.Progress) {
	if step != b.step {
		b.end()
		b.step, b.bar = step, b.show.Step(b.label, 1, step)
	}
	b.bar.Set(p)
}

func (b *stepBars) end() {
	if b.bar != nil {
		b.bar.End(nil)
	}
	b.bar = nil
}
