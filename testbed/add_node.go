package testbed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// AddNode starts one more node and makes the proxy know it the way operators do: the
// configuration is rendered with the node in it, checked, put in place and loaded.
// AddNode returns the node's name once the new configuration serves; for direct that
// is once the node does. A user's own file lists its nodes itself, so that one cannot
// be added there. On error the proxy goes on with the configuration it had.
func (tb *Testbed) AddNode(ctx context.Context) (string, error) {
	tb.adding.Lock() // one after the other: each makes a configuration of the last
	defer tb.adding.Unlock()
	name := NodeName(len(tb.Nodes) + 1)
	ctx, cancel := faultContext(ctx, "add", name)
	defer cancel()
	if tb.Config != nil && tb.Config.Source.Own {
		return "", fmt.Errorf("add %s: %s lists its nodes itself, and only a shipped variant can be rendered with one more", name, tb.Config.Source.Name)
	}
	if len(tb.Proxies) > 1 {
		return "", fmt.Errorf("add %s: the proxy runs as %d units to hold all clients, and a node is added to one only; ask for fewer clients", name, len(tb.Proxies))
	}
	ports, err := tb.runtime.Reserve(ctx, name, map[string]int{"http": 0})
	if err != nil {
		return "", fmt.Errorf("add %s: %w", name, err)
	}
	var redis *Unit
	if tb.Redis != nil {
		u := tb.Redis.Unit()
		redis = &u
	}
	inst, err := tb.start(ctx, nodeUnit(tb.Spec, name, ports["http"], redis))
	if err != nil {
		return "", fmt.Errorf("add %s: %w", name, err)
	}
	tb.mu.Lock()
	tb.Nodes = append(slices.Clip(tb.Nodes), inst) // readers keep the slice they have
	tb.mu.Unlock()
	if tb.Proxy == nil {
		return name, nil
	}
	if err := tb.extendPool(ctx, NodeAddr{Name: name, Addr: ports["http"].Peer}); err != nil {
		return "", fmt.Errorf("add %s: %w", name, err)
	}
	return name, nil
}

// extendPool puts a node into the proxy's configuration and has the proxy load it.
func (tb *Testbed) extendPool(ctx context.Context, node NodeAddr) error {
	in := tb.Config.Input
	in.Nodes = append(slices.Clone(in.Nodes), node)
	cfg, err := tb.Spec.Proxy.Render(tb.Config.Source, in)
	if err != nil {
		return &ConfigError{err}
	}
	// A check writes the file it checks, so it has a folder of its own: the proxy must
	// never find a file that was not checked.
	dir, err := tb.runtime.Dir("proxy-check")
	if err != nil {
		return err
	}
	run := runner(tb.runtime, tb.Proxy.Unit())
	if err := tb.Spec.Proxy.Check(ctx, run, cfg, dir); err != nil {
		return &ConfigError{err}
	}
	for _, f := range tb.Spec.Proxy.Unit(cfg).Files {
		if err := replaceFile(filepath.Join(tb.Proxy.Dir(), f.Name), f.Data); err != nil {
			return fmt.Errorf("new configuration: %w", err)
		}
	}
	if err := tb.Spec.Proxy.Reload(ctx, tb.Proxy); err != nil {
		return err
	}
	tb.Config = &cfg
	return nil
}

// replaceFile writes a file in one step, so that nobody reads half of it.
func replaceFile(path string, data []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
