package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wsrig/internal/budget"
)

// ownLimits reads the limits that a user's own configuration sets. What it includes
// from other files is not read: a limit stands in the main file by custom.
func ownLimits(proxy, text string, cores int) (*budget.OwnLimits, error) {
	switch proxy {
	case budget.HAProxy:
		return haproxyLimits(text)
	case budget.Nginx:
		return nginxLimits(text, cores)
	default:
		return nil, fmt.Errorf("the limits of %s are unknown", proxy)
	}
}

// haproxySections begin a section of haproxy.cfg (HAProxy's configuration manual,
// sections 3 and 4).
var haproxySections = regexp.MustCompile(`^(global|defaults|frontend|backend|listen|userlist|peers|mailers|resolvers|program|cache|ring|http-errors|log-forward|fcgi-app|crt-store)$`)

// haproxyLimits reads maxconn of the global section and of what listens, maxconn of
// server lines, and ulimit-n (the manual's sections 3.2, 4.2 and 5.2). Without any
// maxconn HAProxy takes what its descriptors allow. Of several frontends the widest
// counts, since the file does not say which of them carries the WebSockets.
func haproxyLimits(text string) (*budget.OwnLimits, error) {
	own := &budget.OwnLimits{Processes: 1}
	var defaults, server budget.Fact
	var fronts []*budget.Fact
	into := map[string]*budget.Fact{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if haproxySections.MatchString(words[0]) {
			into = map[string]*budget.Fact{}
			switch words[0] {
			case "global":
				into["maxconn"], into["ulimit-n"] = &own.Connections, &own.NoFile
			case "defaults":
				defaults = budget.Fact{}
				into["maxconn"] = &defaults
			case "frontend", "listen":
				front := defaults
				fronts = append(fronts, &front)
				into["maxconn"] = &front
			}
			continue
		}
		if len(words) > 1 {
			if err := setLimit(words[0], words[1], into); err != nil {
				return nil, err
			}
		}
		if words[0] == "server" || words[0] == "default-server" {
			for i, w := range words[:len(words)-1] {
				if err := setLimit(w, words[i+1], map[string]*budget.Fact{"maxconn": &server}); err != nil {
					return nil, err
				}
			}
			own.PerNode = tighter(own.PerNode, server)
		}
	}
	own.Connections = tighter(own.Connections, widest(fronts))
	return own, nil
}

// tighter is the smaller limit; an unknown one does not bound.
func tighter(a, b budget.Fact) budget.Fact {
	n, ok := a.Get()
	if m, known := b.Get(); !ok || known && m < n {
		return b
	}
	return a
}

// widest is the largest limit, and unknown when any has none.
func widest(limits []*budget.Fact) (most budget.Fact) {
	for _, l := range limits {
		n, ok := l.Get()
		if !ok {
			return budget.Fact{}
		}
		if m, _ := most.Get(); n > m {
			most = *l
		}
	}
	return most
}

var (
	nginxComment = regexp.MustCompile(`(?m)(^|[\s;{}])#.*$`)
	nginxPerNode = regexp.MustCompile(`\smax_conns=(\d+)`)
	nginxLimit   = regexp.MustCompile(`(?:^|[\s;{}])(worker_processes|worker_connections|worker_rlimit_nofile)\s+([^\s;]+)\s*;`)
)

// nginxLimits reads the worker directives and max_conns of servers, with the defaults of Nginx's core module:
// one worker process and 512 connections.
func nginxLimits(text string, cores int) (*budget.OwnLimits, error) {
	own := &budget.OwnLimits{Processes: 1, Connections: budget.Known(512)}
	workers := budget.Known(1)
	into := map[string]*budget.Fact{"worker_processes": &workers, "worker_connections": &own.Connections, "worker_rlimit_nofile": &own.NoFile}
	// A separator ends one match and may begin the next.
	text = strings.ReplaceAll(nginxComment.ReplaceAllString(text, "$1"), ";", "; ")
	for _, m := range nginxLimit.FindAllStringSubmatch(text, -1) {
		if m[1] == "worker_processes" && m[2] == "auto" {
			workers = budget.Known(int64(cores))
			continue
		}
		if err := setLimit(m[1], m[2], into); err != nil {
			return nil, err
		}
	}
	for _, m := range nginxPerNode.FindAllStringSubmatch(text, -1) {
		var one budget.Fact
		if m[1] == "0" {
			continue // no limit
		}
		if err := setLimit("max_conns", m[1], map[string]*budget.Fact{"max_conns": &one}); err != nil {
			return nil, err
		}
		own.PerNode = tighter(own.PerNode, one)
	}
	n, _ := workers.Get()
	own.Processes = int(n)
	return own, nil
}

// setLimit reads a directive's number, if it is one of those wanted.
func setLimit(directive, value string, into map[string]*budget.Fact) error {
	fact, wanted := into[directive]
	if !wanted {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1 {
		return fmt.Errorf("%s %s is no number above 0", directive, value)
	}
	*fact = budget.Known(n)
	return nil
}
