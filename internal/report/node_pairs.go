package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// nodePairs is the delivery latency of one cell from each node's publishers to each
// node's receivers, over all its conclusive trials.
type nodePairs struct {
	cell  *result.Cell
	nodes []string
	pairs map[string]nodePair // by "n1>n2"
}

type nodePair struct {
	h     *hdrhistogram.Histogram
	scale float64 // seconds of one count
}

// pairPrefix begins the name of a histogram that a trial keeps for two nodes.
const pairPrefix = "delivery.latency "

// leastNodes is how many nodes make the pairs worth a look: with two of them, same
// node and cross-node say it all.
const leastNodes = 3

// nodePairsOf reads the pairs of a cell; nil if there are too few nodes.
func nodePairsOf(c *result.Cell) (*nodePairs, error) {
	trials, _ := c.Conclusive()
	parts := map[string][]*result.Histogram{}
	nodes := map[string]bool{}
	for _, t := range trials {
		for name, h := range t.Histograms {
			pair, ok := strings.CutPrefix(name, pairPrefix)
			from, to, two := strings.Cut(pair, ">")
			if !ok || !two || h.Count == 0 {
				continue
			}
			nodes[from], nodes[to] = true, true
			parts[pair] = append(parts[pair], &h)
		}
	}
	if len(nodes) < leastNodes {
		return nil, nil
	}
	p := &nodePairs{cell: c, nodes: slices.SortedFunc(maps.Keys(nodes), byNumber), pairs: map[string]nodePair{}}
	for pair, hs := range parts {
		sum, err := result.Merge(hs...)
		if err != nil {
			return nil, fmt.Errorf("%s: latency %s: %w", c.ID, pair, err)
		}
		scale, err := seconds(hs[0])
		if err != nil {
			return nil, fmt.Errorf("%s: latency %s: %w", c.ID, pair, err)
		}
		p.pairs[pair] = nodePair{sum, scale}
	}
	return p, nil
}

// byNumber sorts n2 before n10.
func byNumber(a, b string) int {
	number := func(s string) (string, int) {
		word := strings.TrimRight(s, "0123456789")
		n, _ := strconv.Atoi(s[len(word):])
		return word, n
	}
	wa, na := number(a)
	wb, nb := number(b)
	return cmp.Or(cmp.Compare(wa, wb), cmp.Compare(na, nb), cmp.Compare(a, b))
}

// quantile is a percentile of a pair in seconds; ok is false without enough
// deliveries for it.
func (p *nodePairs) quantile(from, to, stat string, percentile float64) (v float64, ok bool) {
	pair, ok := p.pairs[from+">"+to]
	if !ok || pair.h.TotalCount() < result.MinSamples(stat) {
		return 0, false
	}
	return float64(pair.h.ValueAtQuantile(percentile)) * pair.scale, true
}

// publisherNodes are the rows of a cell in the table of node pairs.
func publisherNodes(c *result.Cell) []string {
	p, err := nodePairsOf(c)
	if p == nil || err != nil {
		return nil // a run whose histograms do not decode is refused when it is read
	}
	return p.nodes
}

func hasNodePairs(c *result.Cell) bool { return len(publisherNodes(c)) > 0 }

// receiverColumns are one column for each node that receives in any of the rows.
func receiverColumns(rows []*row) []column {
	nodes := map[string]bool{}
	cells := map[*result.Cell]*nodePairs{}
	for _, r := range rows {
		if _, known := cells[r.cell]; !known {
			cells[r.cell], _ = nodePairsOf(r.cell)
		}
		for _, n := range cells[r.cell].nodes {
			nodes[n] = true
		}
	}
	var columns []column
	for _, to := range slices.SortedFunc(maps.Keys(nodes), byNumber) {
		columns = append(columns, column{Column{Header: "to " + to, Right: true}, func(r *row) string {
			r.notes.add("Median latency over all conclusive trials, from the publisher's node to the receiver's.")
			v, ok := cells[r.cell].quantile(r.key, to, "p50", 50)
			if !ok {
				return missing
			}
			return result.Format(v, "s")
		}})
	}
	return columns
}
