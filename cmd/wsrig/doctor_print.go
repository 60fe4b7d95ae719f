package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"wsrig/internal/budget"
	"wsrig/internal/result"
	"wsrig/testbed"
)

// print writes the report for people.
func (r doctorReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "THIS MACHINE\tVALUE\tWHAT IT MEANS")
	for _, l := range r.Facts {
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Fact, l.Value, l.Meaning)
	}
	fmt.Fprintln(w, "\nPROGRAM\tVERSION\tPATH")
	for _, p := range r.Programs {
		version, path := p.Version, p.Path
		if path == "" {
			version, path = "-", "not installed"
		} else if version == "" {
			version = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, version, path)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missing := testbed.Missing(allNeeds()); len(missing) > 0 {
		fmt.Fprintf(out, "install with: wsrig deps --install\n")
	}
	if r.Scenario != "" {
		if err := r.printFits(out); err != nil {
			return err
		}
	}
	if r.SelfNoise != nil {
		return printNoise(out, *r.SelfNoise)
	}
	return nil
}

// printFits writes the layout of each size of cell and what stops it from growing.
func (r doctorReport) printFits(out io.Writer) error {
	if len(r.Fits) == 0 {
		_, err := fmt.Fprintf(out, "\n%s opens no clients: it fits anywhere\n", r.Scenario)
		return err
	}
	fmt.Fprintf(out, "\n%s, cells at the same time: %d\n", r.Scenario, r.Fits[0].Demand.Testbeds)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PROXY\tCLIENTS\tNODES\tFITS\tAS\tFIRST WALL\tAT\tFIX")
	for _, f := range r.Fits {
		fit, as := "no", "-"
		if f.Layout != nil {
			fit, as = "yes", layoutText(*f.Layout)
		}
		wall := budget.Wall{Name: "none"}
		at := "-"
		if len(f.Walls) > 0 {
			wall = f.Walls[0]
			at = result.Format(float64(wall.MaxClients), "count")
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", f.Proxy, result.Format(float64(f.Demand.Clients), "count"),
			f.Demand.Nodes, fit, as, wall.Name, at, wall.Fix)
	}
	return w.Flush()
}

// layoutText is "3 workers, 2 addresses, 4 haproxy x maxconn 9,950".
func layoutText(l budget.Layout) string {
	parts := []string{counted(l.Workers, "worker", "workers"), counted(len(l.SourceAddrs), "address", "addresses")}
	limit := func(name string, n int) string {
		if n == 0 {
			return "" // an own configuration keeps its own
		}
		return fmt.Sprintf(" x %s %s", name, result.Format(float64(n), "count"))
	}
	if l.ProxyProcesses > 0 {
		parts = append(parts, fmt.Sprintf("%d haproxy%s", l.ProxyProcesses, limit("maxconn", l.MaxConn)))
	}
	if l.NginxWorkers > 0 {
		parts = append(parts, fmt.Sprintf("%d nginx%s", l.NginxWorkers, limit("worker_connections", l.WorkerConnections)))
	}
	return strings.Join(parts, ", ")
}

func counted(n int, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, plural)
}

// printNoise writes the self-noise table.
func printNoise(out io.Writer, n result.SelfNoise) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nSELF-NOISE\tP50\tP99\tMAX\tN\tRATE")
	seconds := func(v float64) string { return result.Format(v, "s") }
	maybe := func(v *float64) string {
		if v == nil {
			return "too few"
		}
		return seconds(*v)
	}
	for _, row := range []struct {
		what string
		f    result.NoiseFigures
	}{{"TCP ping-pong over loopback", n.PingPong}, {"WebSocket echo through the load generator", n.Echo}, {"load generator's schedule lag", n.Lag}} {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", row.what, seconds(row.f.P50), maybe(row.f.P99), seconds(row.f.Max), row.f.N, result.Format(row.f.Rate, "/s"))
	}
	fmt.Fprintf(w, "what the rig adds\t%s\t%s\n", seconds(n.AddedP50), maybe(n.AddedP99))
	for _, d := range n.Doubts {
		fmt.Fprintf(w, "doubt: %s\n", d)
	}
	return w.Flush()
}
