package budget

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"wsrig/internal/result"
)

// Wall is one limit of a machine, or of an own proxy configuration, held against a
// demand.
type Wall struct {
	Name       string `json:"name"`
	Unit       string `json:"unit"`  // count or bytes, of Limit and Needs
	Limit      int64  `json:"limit"` // what a plan may use of it
	Needs      int64  `json:"needs"` // what the demand takes
	MaxClients int    `json:"max_clients"`
	Fix        string `json:"fix"`     // what moves the wall far enough, or doubles what fits if the demand does
	Formula    string `json:"formula"` // how Needs comes about
}

// amount writes a number of the wall's unit.
func (w Wall) amount(n int64) string { return result.Format(float64(n), w.Unit) }

func commas(n int64) string { return result.Format(float64(n), "count") }

// bound is a wall as functions of the number of clients. needs never falls as n grows.
type bound struct {
	name, unit string
	limit      Fact
	needs      func(n int64) int64
	formula    func(n int64) string
	fix        func(n int64) string
}

// Walls lists what bounds the number of clients, the tightest first. Limits that are
// unknown, or beyond every number of clients that the load generator opens, are left
// out. Of an impossible demand there are none; Fit says what is wrong with it.
func Walls(m Machine, d Demand) []Wall {
	if d.check() != nil {
		return nil
	}
	d = d.filled()
	var walls []Wall
	for _, b := range bounds(m, d) {
		limit, ok := b.limit.Get()
		if !ok {
			continue
		}
		most := sort.Search(maxClients, func(i int) bool { return b.needs(int64(i)+1) > limit })
		if most == maxClients {
			continue
		}
		n := int64(d.Clients)
		walls = append(walls, Wall{
			Name: b.name, Unit: b.unit, Limit: limit, Needs: b.needs(n), MaxClients: most,
			Fix: b.fix(beyond(n, most)), Formula: b.formula(n),
		})
	}
	slices.SortStableFunc(walls, func(a, b Wall) int { return cmp.Compare(a.MaxClients, b.MaxClients) })
	return walls
}

// beyond is the number of clients that a wall's fix is for: those asked for, or, when
// they fit, twice as many as fit now.
func beyond(n int64, most int) int64 {
	if n <= int64(most) {
		return min(maxClients, 2*int64(most))
	}
	return n
}

// bounds is the one table of walls. To add one, add a line here and its function.
func bounds(m Machine, d Demand) []bound {
	all := []bound{
		workerProcesses(m), sourceAddresses(m, d), nodeDescriptors(m, d),
		memory(m, d), conntrack(m, d), openFiles(m, d),
	}
	if d.Proxy == "" {
		return all
	}
	all = append(all, proxyPorts(m, d))
	if d.Own == nil {
		return append(all, proxyProcesses(m, d))
	}
	return append(all, ownDescriptors(m, d), ownConnections(d), ownPerNode(d))
}

// said joins a formula of texts and numbers, with thousands apart.
func said(words ...any) string {
	var b strings.Builder
	for _, w := range words {
		switch w := w.(type) {
		case int64:
			b.WriteString(commas(w))
		case int:
			b.WriteString(commas(int64(w)))
		case string:
			b.WriteString(w)
		}
	}
	return b.String()
}
