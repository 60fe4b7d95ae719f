package chatnode

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"wsrig/internal/wire"
)

//go:embed page
var page embed.FS

// pagePolicy is the Content-Security-Policy of the chat page. 'self' in connect-src
// covers ws: and wss: to the page's own host (CSP Level 3 section 6.7.2.8).
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (n *Node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", n.ws)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", n.readyz)
	mux.HandleFunc("GET /connections", n.connections)
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics.registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /", servePage())
	return countServed(mux)
}

func servePage() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic("chatnode: the page is not embedded: " + err.Error())
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}

// readyz tells a load balancer whether to send new clients here.
func (n *Node) readyz(w http.ResponseWriter, _ *http.Request) {
	reason := error(nil)
	if n.isDraining() {
		reason = errDraining
	} else {
		reason = n.bus.ready()
	}
	if reason != nil {
		http.Error(w, reason.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// Connections is the answer of /connections.
type Connections struct {
	Node string `json:"node"`
	Open int    `json:"open"`
	// Connections is left out of a summary, and sorted by ID.
	Connections []Connection `json:"connections,omitzero"`
}

// Connection is one open connection.
type Connection struct {
	ID           uint64  `json:"id"` // in the order of the handshakes
	Name         string  `json:"name"`
	Room         string  `json:"room"`
	Remote       string  `json:"remote"` // TCP address of the peer, host:port
	AgeS         float64 `json:"age_s"`  // seconds since the 101
	ReadSilence  float64 `json:"read_silence_s"`
	WriteSilence float64 `json:"write_silence_s"`
}

func (n *Node) connections(w http.ResponseWriter, r *http.Request) {
	out := Connections{Node: n.cfg.Name}
	if r.URL.Query().Get("summary") == "1" {
		out.Open = n.openCount()
	} else {
		now := wire.Now()
		out.Connections = []Connection{} // [] and not null, when there is none
		for _, c := range n.open() {
			out.Connections = append(out.Connections, Connection{
				ID: c.id, Name: c.name, Room: c.room.name,
				Remote:       c.sock.RemoteAddr().String(),
				AgeS:         seconds(now - c.opened),
				ReadSilence:  seconds(now - c.sock.lastRead.Load()),
				WriteSilence: seconds(now - c.sock.lastWrite.Load()),
			})
		}
		out.Open = len(out.Connections)
		slices.SortFunc(out.Connections, func(a, b Connection) int { return cmp.Compare(a.ID, b.ID) })
	}
	w.Header().Set("Content-Type", "application/json")
	// An error means that whoever asked has left.
	_ = json.NewEncoder(w).Encode(out)
}
