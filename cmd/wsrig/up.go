package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// upOptions are the flags of wsrig up.
type upOptions struct {
	proxy     string
	nodes     int
	port      int
	bus       string
	nodeCmd   string // instead of wsrig's own node; "" is that
	install   bool
	noRestart bool
	portGiven bool // --port was set
}

// upClients is how many clients the proxy is set up for.
const upClients = 2000

// upNodeArgs make nodes fit for people: pings keep the tunnels alive and find dead
// clients, and a node that is stopped says goodbye within a second.
var upNodeArgs = []string{"--ping-interval", "20s", "--pong-wait", "60s", "--drain-window", "1s"}

// upHistory fills the gap of a window that was away. Redis keeps it.
var upHistory = []string{"--history", "100"}

func newUpCommand() *cobra.Command {
	o := upOptions{proxy: "haproxy:round-robin", nodes: 4, port: 8080, bus: testbed.BusRedis}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a chat behind a proxy and keep it up until ctrl-C",
		Long: `Start Redis, chat nodes and a proxy, print their addresses, and keep them up until ctrl-C
or SIGTERM, which end all of it with exit code 0.

Open the page in two windows, each of which says which node serves it, and kill a node
by its pid: its windows go to another. A unit that dies is reported with the end of its
log and started again after 3 s, on the same address.

A --proxy is direct, DRIVER:VARIANT, or a configuration file of your own; see wsrig list.
With direct each node serves the page itself.

A --node-cmd is started from here for every chat node, as by wsrig run: with HOST, PORT,
NODE_NAME and REDIS_URL in its environment, and ready when GET /readyz answers.`,
		Example: `  wsrig up
  wsrig up --proxy nginx:round-robin --nodes 2 --port 9000
  wsrig up --proxy ./haproxy.cfg --no-restart
  wsrig up --node-cmd 'node server.js'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.portGiven = cmd.Flags().Changed("port")
			return runUp(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.proxy, "proxy", o.proxy, "`proxy` in front of the nodes")
	f.IntVar(&o.nodes, "nodes", o.nodes, "chat nodes; a file of your own says itself how many")
	f.IntVar(&o.port, "port", o.port, "`port` of the proxy on 127.0.0.1; 0 takes a free one")
	f.StringVar(&o.bus, "bus", o.bus, "how nodes share messages: redis, miniredis (in memory), or none for one node")
	f.StringVar(&o.nodeCmd, "node-cmd", "", "`command` to run as chat nodes instead of wsrig's own, or the peer node-chat")
	f.BoolVar(&o.install, "install", false, "install missing programs with apt-get, as root or through sudo")
	f.BoolVar(&o.noRestart, "no-restart", false, "leave a unit dead that died")
	return cmd
}

// runUp starts all of it, and ends all of it when ctx ends: from then on that is what
// was asked for.
func runUp(cmd *cobra.Command, o upOptions) (err error) {
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	spec, err := o.spec()
	if err != nil {
		return err
	}
	if err := o.provide(ctx, &spec, stderr); err != nil {
		return err
	}
	rt, err := testbed.NewProcessRuntime("", "")
	if err != nil {
		return fmt.Errorf("%w: %w", errTestbed, err)
	}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
		defer cancel()
		err = errors.Join(err, rt.Close(down))
	}()
	tb, err := testbed.Up(ctx, rt, spec)
	if err != nil {
		return fmt.Errorf("%w: %w", errTestbed, err)
	}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
		defer cancel()
		err = errors.Join(err, tb.Close(down))
	}()
	if err := printUp(cmd.OutOrStdout(), tb, o); err != nil {
		return err
	}
	keepAllUp(ctx, tb.Units(), !o.noRestart, stderr)
	fmt.Fprintln(stderr, "ending all of it")
	return nil
}

// downTimeout bounds the end of all units.
const downTimeout = 20 * time.Second

// spec turns the flags into what is to be started.
func (o upOptions) spec() (testbed.Spec, error) {
	spec := testbed.Spec{Bus: o.bus, Nodes: o.nodes, NodeArgs: upNodeArgs, Port: o.port, Clients: upClients}
	wrong := func(err error) (testbed.Spec, error) { return spec, usageError{fmt.Errorf("--proxy: %w", err)} }
	ref, err := scenario.ParseProxy(o.proxy, catalog{})
	if err != nil {
		return wrong(err)
	}
	if ref.Driver != "" {
		spec.Proxy = proxies[ref.Driver]
		if spec.Source, err = scenario.Source(spec.Proxy, ref); err != nil {
			return wrong(err)
		}
		named, err := spec.Proxy.Nodes(spec.Source)
		if err != nil {
			return wrong(err)
		}
		if named > 0 {
			spec.Nodes = named
		}
		if p, ok := spec.Proxy.(statsPage); ok && !spec.Source.Own {
			spec.Source = p.WithStatsPage(spec.Source)
		}
	}
	if o.bus != testbed.BusNone {
		spec.NodeArgs = slices.Concat(upNodeArgs, upHistory)
	}
	if o.nodeCmd != "" {
		if spec.NodeCmd, err = testbed.ParseNodeCommand(o.nodeCmd); err != nil {
			return spec, usageError{fmt.Errorf("--node-cmd: %w", err)}
		}
	}
	if len(spec.NodeCmd) > 0 {
		spec.NodeArgs = nil // they are options of wsrig's own node
	}
	if err := o.judge(spec); err != nil {
		return spec, usageError{err}
	}
	return spec, nil
}

// provide sees to the programs that spec needs.
func (o upOptions) provide(ctx context.Context, spec *testbed.Spec, out io.Writer) error {
	needs := testbed.NodeNeeds(spec.NodeCmd)
	if spec.Proxy != nil {
		needs = append(needs, need(spec.Proxy.Name()))
	}
	bus, err := providePrograms(ctx, needs, spec.Bus == testbed.BusRedis, o.install, out)
	if bus != "" {
		spec.Bus = bus
	}
	return err
}

// judge returns everything that is wrong with the flags, joined.
func (o upOptions) judge(spec testbed.Spec) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !slices.Contains([]string{testbed.BusRedis, testbed.BusMiniredis, testbed.BusNone}, o.bus) {
		bad("--bus %s: use redis, miniredis or none", o.bus)
	}
	if spec.Nodes < 1 || spec.Nodes > maxUpNodes {
		bad("--nodes %d: use 1 to %d", spec.Nodes, maxUpNodes)
	}
	if o.bus == testbed.BusNone && spec.Nodes > 1 {
		bad("--bus none: %d nodes would be %d chats; use --nodes 1 or another bus", spec.Nodes, spec.Nodes)
	}
	if o.port < 0 || o.port > 65535 {
		bad("--port %d: use 1 to 65535, or 0 for any free one", o.port)
	}
	if spec.Proxy == nil && o.portGiven && o.port != 0 {
		bad("--port %d: direct has no proxy that could listen there; leave it out", o.port)
	}
	return errors.Join(errs...)
}

// maxUpNodes keeps a slip of the finger from starting thousands of processes.
const maxUpNodes = 64
