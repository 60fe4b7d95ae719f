package testbed

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"wsrig/internal/result"
)

// Proxy is a driver for one load balancer: everything the rig knows about it.
// Drivers hold no state; what runs is an Instance.
type Proxy interface {
	// Name is the word before the colon in --proxy: haproxy, nginx.
	Name() string
	// Binary is the program, Package the Debian package that brings it.
	Binary() string
	Package() string
	// Version asks the program that run runs for its version ("2.6.12").
	Version(ctx context.Context, run Run) (string, error)
	// Variants are the shipped configurations, sorted, each with its summary (the
	// first comment line of the file).
	Variants() map[string]string
	// Load returns a shipped variant's source. The error names near variants.
	Load(variant string) (Source, error)
	// Nodes tells how many nodes a user's own file speaks of, 0 for "any".
	Nodes(src Source) (int, error)
	// Ports lists the names of the ports that src needs: "ws" where clients
	// connect, "admin" for statistics, and what else its hops need.
	Ports(src Source) ([]string, error)
	// Render puts the testbed's addresses into src. For a user's own file all
	// else stays as it was, and Config.Diff shows what changed.
	Render(src Source, in RenderInput) (Config, error)
	// Declared models what cfg grants an idle tunnel on path (the URL path that
	// clients ask for, such as /ws).
	Declared(cfg Config, path string) (result.Declared, error)
	// Balance models how cfg chooses a node for a new connection to path.
	Balance(cfg Config, path string) (Balance, error)
	// Check has the proxy itself check cfg, in dir (haproxy -c, nginx -t), by the
	// program that run runs. The error carries what the proxy printed.
	Check(ctx context.Context, run Run, cfg Config, dir string) error
	// Unit is how to run cfg. It sets everything but Name and Role.
	Unit(cfg Config) Unit
	// Reload makes a running instance load its files again, the way operators do
	// it, and returns once the new configuration serves (confirmed, not assumed).
	Reload(ctx context.Context, inst Instance) error
	// Stats reads the proxy's own counters.
	Stats(ctx context.Context, inst Instance) (ProxyStats, error)
	// Workers counts the client connections of each process that serves them, those
	// of earlier configurations last.
	Workers(ctx context.Context, inst Instance) ([]WorkerProcess, error)
	// Terminations reads from the instance's log how tunnels ended, by the
	// client's TCP address. A proxy that does not tell returns none.
	Terminations(inst Instance) (map[netip.AddrPort]Termination, error)
}

// Source is a configuration before the testbed's addresses are in it.
type Source struct {
	Name     string // variant, or the path of the user's file
	FileName string // haproxy.cfg, nginx.conf
	Text     string
	Own      bool // a user's own file: no template, addresses are rewritten
}

// reads is the directory of a user's own file, where files that it names relative to
// itself are. The root of all directories is none: a container has its own.
func (s Source) reads() ([]string, error) {
	if !s.Own {
		return nil, nil
	}
	path, _, _ := strings.Cut(s.Name, "#")
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if dir == string(filepath.Separator) {
		return nil, nil
	}
	return []string{dir}, nil
}

// RenderInput is what a configuration is rendered for.
type RenderInput struct {
	Ports map[string]Port // "ws": where clients connect, "admin": statistics
	Nodes []NodeAddr
	// MaxClients sizes connection limits in shipped variants (maxconn,
	// worker_connections); a user's own file keeps its own.
	MaxClients int
	// Limits sizes shipped variants exactly, where a plan was fitted to a machine.
	Limits Limits
	// Dir is the absolute directory the proxy will run in, for files that a
	// configuration must name absolutely. May be "".
	Dir string
}

// Limits are a proxy's size, fitted to what one machine allows. Zero fields leave the
// choice to the driver, by RenderInput.MaxClients.
type Limits struct {
	Units       int `json:"units,omitempty"`       // proxy units that share the clients' port by SO_REUSEPORT (HAProxy)
	Processes   int `json:"processes,omitempty"`   // that serve within a unit (Nginx workers)
	Connections int `json:"connections,omitempty"` // of each: HAProxy's maxconn, Nginx's worker_connections (both sides)
	NoFile      int `json:"nofile,omitempty"`      // descriptors of each
}

// NodeAddr is one node as a member of the proxy's pool.
type NodeAddr struct {
	Name   string // n1
	Addr   string // host:port
	Weight int    // 0 means the proxy's default
}

// Config is a rendered configuration.
type Config struct {
	Source Source
	Text   string // what the proxy is given
	Input  RenderInput
	Diff   string // unified diff from Source.Text, for a user's own file
}

// ProxyStats are the counters of a proxy at one moment.
type ProxyStats struct {
	Open      int            // client connections open now, statistics reader excluded
	ByNode    map[string]int // sessions per node, where the proxy tells; nil otherwise
	Processes int            // processes serving the current configuration
	Old       int            // processes of earlier configurations still alive
}

// Termination is how a proxy says a tunnel ended.
type Termination struct {
	Flags string  // HAProxy: the four-character termination state, "cD--"
	Node  string  // server that carried it
	After float64 // seconds, session total
}
