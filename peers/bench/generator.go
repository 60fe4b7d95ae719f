//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// work is what a generator is asked to do.
type work struct {
	kind    string // idle, echo or pace
	addr    string // of the server
	path    string
	clients int
	rate    float64 // messages a second, of pace
	hold    time.Duration
}

// Kinds of work.
const (
	workIdle = "idle" // connect and stay
	workEcho = "echo" // closed loop: the next message when the last came back
	workPace = "pace" // messages at a rate
)

// messageSize is the length of every message, in bytes of text.
const messageSize = 128

func (w work) url() string { return "ws://" + w.addr + w.path }

// generator is one that is compared.
type generator struct {
	name    string
	version string
	absent  string // why it cannot be measured; "" when it can
	own     bool   // it is wsrig
	command func(b *bench, w work) (argv, env []string, err error)
}

// generators are those that the table shows, whether they are here or not.
func (b *bench) generators() []*generator {
	k6 := filepath.Join(b.bin, "peers", "k6")
	if _, err := os.Stat(k6); err != nil {
		k6 = "k6"
	}
	all := []*generator{
		{name: "wsrig epoll", own: true, command: wsrig("epoll")},
		{name: "wsrig portable", own: true, command: wsrig("portable")},
		{name: "k6/ws", command: k6With(k6, "ws.js")},
		{name: "k6/websockets", command: k6With(k6, "websockets.js")},
		{name: "tsung", command: tsung},
	}
	for _, g := range all {
		switch {
		case g.own:
			g.version = firstLine(filepath.Join(b.bin, "wsrig"), "--version")
		case g.name == "tsung":
			g.find("tsung", "install the package tsung", "-v")
		default:
			g.find(k6, "go install go.k6.io/k6@latest did not succeed", "version")
		}
	}
	return all
}

// find notes a program's version, or that it is missing.
func (g *generator) find(program, fix, versionFlag string) {
	if _, err := exec.LookPath(program); err != nil {
		g.absent = "not installed: " + fix
		return
	}
	g.version = firstLine(program, versionFlag)
}

// firstLine is the first line that a program prints.
func firstLine(program string, args ...string) string {
	out, err := exec.Command(program, args...).Output()
	if err != nil && len(out) == 0 {
		return "unknown version: " + err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// wsrig is this project's generator with one of its engines.
func wsrig(engine string) func(*bench, work) (argv, env []string, err error) {
	return func(b *bench, w work) (argv, env []string, err error) {
		argv = []string{
			filepath.Join(b.bin, "wsrig"), "loadgen", "--json", "--engine", engine, "--relay", "self", "--url", w.url(),
			"--clients", strconv.Itoa(w.clients), "--for", w.hold.String(), "--size", strconv.Itoa(messageSize),
			// As fast as the server takes them, and no more at once than its accept queue holds.
			"--connect-rate", "1000000/s", "--connect-in-flight", "1000",
		}
		switch w.kind {
		case workIdle:
			argv = append(argv, "--rate", "0")
		case workEcho:
			argv = append(argv, "--loop", "closed")
		case workPace:
			argv = append(argv, "--rate", fmt.Sprintf("%g/s", w.rate))
		}
		return argv, nil, nil
	}
}

// k6With is k6 with one of its two WebSocket modules.
func k6With(k6, script string) func(*bench, work) (argv, env []string, err error) {
	return func(b *bench, w work) (argv, env []string, err error) {
		argv = []string{k6, "run", "--quiet", "--no-usage-report", "--no-summary", "--address", "", filepath.Join(b.peers, "k6", script)}
		return argv, []string{
			"K6_NO_COLOR=true", "HOME=" + b.dir, "WORK=" + w.kind, "URL=" + w.url(), "CLIENTS=" + strconv.Itoa(w.clients),
			"HOLD=" + seconds(w.hold), "SIZE=" + strconv.Itoa(messageSize), "RATE=" + fmt.Sprint(w.rate),
		}, nil
	}
}

// tsungConnectRate is what tsung is asked for; it falls behind by itself.
const tsungConnectRate = 5000

// tsung renders its scenario and runs it in one Erlang machine, with a port mapper of
// its own that ends with it: it would leave one running for the whole system.
func tsung(b *bench, w work) (argv, env []string, err error) {
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		return nil, nil, err
	}
	t, err := template.ParseFiles(filepath.Join(b.peers, "tsung", w.kind+".xml"))
	if err != nil {
		return nil, nil, err
	}
	var xml bytes.Buffer
	err = t.Execute(&xml, map[string]any{
		"DTD": "/usr/share/tsung/tsung-1.0.dtd", "Host": host, "Port": port, "Path": w.path, "Clients": w.clients,
		"Limit": w.clients + 1, "ConnectRate": tsungConnectRate, "Hold": seconds(w.hold), "Text": strings.Repeat("x", messageSize),
		"Gap": fmt.Sprint(1 / max(w.rate, 1)),
	})
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(b.dir, "tsung-"+w.kind+".xml")
	if err := os.WriteFile(file, xml.Bytes(), 0o600); err != nil {
		return nil, nil, err
	}
	epmd, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	const script = `epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & exec tsung -n -I 127.0.0.1 -i "$1" -f "$2" -l "$3" start`
	argv = []string{"sh", "-c", script, "sh", strconv.Itoa(epmd), file, filepath.Join(b.dir, "tsung-log")}
	return argv, []string{"HOME=" + b.dir, "ERL_EPMD_PORT=" + strconv.Itoa(epmd), "ERL_EPMD_ADDRESS=127.0.0.1"}, nil
}

// freePort is one that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
