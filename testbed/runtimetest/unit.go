package runtimetest

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// unitWord is the first argument of this binary when it plays a unit.
const unitWord = "runtimetest-unit"

// PlayUnit plays a unit, and does not return, when this process was started as one.
// Otherwise it does nothing.
func PlayUnit() {
	if len(os.Args) < 2 || os.Args[1] != unitWord {
		return
	}
	if err := play(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "unit:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// player is a unit under way.
type player struct {
	listen     string
	children   string
	die        int
	unready    bool
	ignoreTerm bool
	mu         sync.Mutex
	held       []net.Listener // guarded by mu
}

// play serves what a test asks for until SIGTERM.
func play(args []string) error {
	var p player
	f := flag.NewFlagSet(unitWord, flag.ContinueOnError)
	f.StringVar(&p.listen, "listen", "", "address to serve on")
	f.StringVar(&p.children, "children", "", "addresses of child processes to start, which ignore SIGTERM")
	f.IntVar(&p.die, "die", 0, "print some lines and exit with this status instead")
	f.BoolVar(&p.unready, "unready", false, "answer 503 to /readyz for ever")
	f.BoolVar(&p.ignoreTerm, "ignore-term", false, "ignore SIGTERM")
	f.String("note", "", "an argument for /args to show")
	if err := f.Parse(args); err != nil {
		return err
	}
	if p.die != 0 {
		for i := range 40 {
			fmt.Println("line", i+1)
		}
		fmt.Println("cannot go on")
		os.Exit(p.die)
	}
	if p.ignoreTerm {
		signal.Ignore(syscall.SIGTERM)
	}
	if err := p.startChildren(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", p.listen)
	if err != nil {
		return err
	}
	fmt.Println("serving", p.listen)
	term := make(chan os.Signal, 1)
	if !p.ignoreTerm {
		signal.Notify(term, syscall.SIGTERM)
	}
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(l, p.handler()) }()
	select {
	case err := <-failed:
		return err
	case <-term:
		fmt.Println("asked to end")
		return nil // children, if any, are left to the runtime
	}
}

func (p *player) startChildren() error {
	if p.children == "" {
		return nil
	}
	for _, addr := range strings.Split(p.children, ",") {
		cmd := exec.Command(os.Args[0], unitWord, "-ignore-term", "-listen", addr)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		// Waits as a master does, so that the CPU of ended children is its own.
		go cmd.Wait()
	}
	return nil
}

func (p *player) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if p.unready {
			http.Error(w, "never", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(os.Environ()) })
	mux.HandleFunc("/args", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(os.Args[1:]) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(r.FormValue("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Write(b)
	})
	mux.HandleFunc("/caller", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
	mux.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) {
		callers, err := calls(r.Context(), r.URL.Query()["from"], r.FormValue("to"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		io.WriteString(w, callers)
	})
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("exit was asked for by HTTP")
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	mux.HandleFunc("/burn", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("cpu"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		burn(d)
	})
	mux.HandleFunc("/eat", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("bytes"))
		food := make([]byte, n)
		for i := range food {
			food[i] = byte(i) // each page becomes real only when it is written
		}
		fmt.Fprintln(w, "ate", len(food))
	})
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		n, _ := strconv.Atoi(r.FormValue("sockets"))
		for range n {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			p.held = append(p.held, l)
		}
		io.WriteString(w, "held")
	})
	return mux
}

// burn spins until this process has used so much CPU time.
func burn(d time.Duration) {
	used := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			panic(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	for end := used() + d; used() < end; {
	}
}
