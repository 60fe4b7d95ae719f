package budget

import (
	"fmt"

	"wsrig/internal/result"
)

// Line is a fact about a machine as people read it.
type Line struct {
	Fact    string `json:"fact"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"` // for the clients of a test
}

// Lines tells a machine's facts and what each means for a test.
func (m Machine) Lines() []Line {
	return []Line{
		{"cores", commas(int64(m.Cores)), "workers, nodes and proxy share them: more busy processes than cores disturb each other's latency"},
		{"descriptors of a process", m.descriptorsText(), m.descriptorsMeaning()},
		{"open files of the system", used(m.FilesOpen, m.FilesMax), "every connection takes two, one at either end, and through a proxy four"},
		{"ephemeral ports", m.portsText(), m.portsMeaning()},
		{"source addresses", commas(int64(m.LoopbackAddrs)), "clients are spread over these, from 127.0.0.1 on, when ports run out"},
		{"memory available", amountOf(m.MemoryAvailable) + " of " + amountOf(m.MemoryTotal), m.memoryMeaning()},
		{"connection tracking", used(m.ConntrackCount, m.ConntrackMax), m.conntrackMeaning()},
		{"accept queue", countOf(m.Backlog), "a burst of handshakes beyond it is dropped, and tried again 1 s later"},
		{"sockets in TIME_WAIT", "up to " + countOf(m.TimeWaitMax), "more closes than this within a minute overflow it: pause between large runs"},
		{"threads", "up to " + countOf(m.ThreadsMax), "of all processes together; a worker or node takes a few for each core"},
	}
}

func countOf(f Fact) string {
	if n, ok := f.Get(); ok {
		return commas(n)
	}
	return f.String()
}

func amountOf(f Fact) string {
	if n, ok := f.Get(); ok {
		return result.Format(float64(n), "bytes")
	}
	return f.String()
}

func used(now, most Fact) string { return countOf(now) + " of " + countOf(most) }

func (m Machine) descriptorsText() string {
	return fmt.Sprintf("%s (soft %s, root may allow %s)", countOf(m.FDHard), countOf(m.FDSoft), countOf(m.FDMax))
}

func (m Machine) descriptorsMeaning() string {
	room, ok := usableFDs(m.FDHard).Get()
	if !ok {
		return "not judged"
	}
	return fmt.Sprintf("%s clients in each node and worker, %s in each proxy process, with a tenth kept back", commas(room), commas(room/2))
}

func (m Machine) portsText() string {
	ports, ok := m.Ports().Get()
	if !ok {
		return m.Ports().String()
	}
	text := fmt.Sprintf("%s to %s: %s", m.PortFirst, m.PortLast, commas(ports))
	if n, _ := m.PortsReserved.Get(); n > 0 {
		text += fmt.Sprintf(" (%s more are reserved)", commas(n))
	}
	return text
}

func (m Machine) portsMeaning() string {
	n, ok := usable(m.Ports()).Get()
	if !ok {
		return "not judged"
	}
	return commas(n) + " clients from one source address to one destination, with a tenth kept back"
}

func (m Machine) memoryMeaning() string {
	n, ok := usable(m.MemoryAvailable).Get()
	if !ok {
		return "not judged"
	}
	most := func(proxy string) string {
		d := Demand{Clients: 1, Nodes: 1, Proxy: proxy}.filled()
		return commas(n / (d.WorkerBytes + d.NodeBytes + d.ProxyBytes + d.legs()*(kernelBytes+conntrackBytes)))
	}
	return fmt.Sprintf("idle clients: %s direct, %s through HAProxy, %s through Nginx", most(""), most(HAProxy), most(Nginx))
}

func (m Machine) conntrackMeaning() string {
	n, ok := free(m.ConntrackMax, m.ConntrackCount).Get()
	if !ok {
		return "the kernel tracks no connections, or does not tell"
	}
	return fmt.Sprintf("counts loopback too: %s clients direct, %s through a proxy", commas(n), commas(n/2))
}
