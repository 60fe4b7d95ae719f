package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wsrig/internal/result"
)

// Rows that share a cell must come out as wide as their head, or figures stand under
// the wrong words.
func TestRowsFillTheirTables(t *testing.T) {
	for name, run := range pageFixtures(t) {
		for i, table := range Tables(run) {
			v := viewTable(table, i)
			rows := 0
			for _, group := range v.Groups {
				taken := make([]int, len(group)+1) // cells that rows above reach into this one
				for i, row := range group {
					for _, cell := range row {
						for j := i + 1; j < i+cell.RowSpan; j++ {
							taken[j]++
						}
					}
					if n := len(row) + taken[i]; n != len(table.Columns) {
						t.Errorf("%s: %s: row %d has %d cells under %d columns", name, table.Title, rows, n, len(table.Columns))
					}
					rows++
				}
			}
			if rows != len(table.Rows) {
				t.Errorf("%s: %s: %d rows of %d", name, table.Title, rows, len(table.Rows))
			}
		}
	}
}

func TestConfigurationsAreComparedWithinADriver(t *testing.T) {
	run := configuredFixture(t)
	configs, more := viewConfigs(run)
	diffs := compareConfigs(configs)
	if len(configs) != 3 || more != 0 || len(diffs) != 1 {
		t.Fatalf("%d configurations (%d more), %d diffs; want 3 and 1: nginx has nothing to be compared with", len(configs), more, len(diffs))
	}
	d := diffs[0]
	if d.From != "haproxy:short (short.cfg)" || d.To != "haproxy:long (long.cfg)" || d.Summary() != "2 lines added, 1 removed" {
		t.Errorf("%s -> %s: %s", d.From, d.To, d.Summary())
	}
	var lines []string
	for _, l := range d.Lines {
		if l.Kind == "add" || l.Kind == "del" {
			lines = append(lines, l.Text)
		}
	}
	if want := []string{"-    timeout tunnel 2s", "+    timeout tunnel 1h", "+    timeout client 30s"}; !slices.Equal(lines, want) {
		t.Errorf("got %q\nwant %q", lines, want)
	}
	if got := configs[0].Rewrite.Summary(); got != "1 line added, 1 removed" {
		t.Errorf("the rewrite has %s, want the one line with the address", got)
	}
}

// With two sides each configuration of head is compared with the same one of base, and with
// no other.
func TestConfigurationsOfBothSidesAreCompared(t *testing.T) {
	run := configuredFixture(t)
	var cells []result.Cell
	for _, c := range run.Cells {
		if c.Config == nil {
			continue
		}
		for _, side := range []string{result.SideBase, result.SideHead} {
			one := c
			one.ID, one.Side, one.Proxy = side+":"+c.ID, side, side+":"+c.Proxy
			if side == result.SideHead && c.Proxy == "haproxy:short" {
				one.Config = slices.Clone(c.Config)
				one.Config[0].Original = strings.Replace(c.Config[0].Original, "2s", "1s", 1)
			}
			cells = append(cells, one)
		}
	}
	run.Cells = cells
	configs, _ := viewConfigs(run)
	var got []string
	for _, d := range compareConfigs(configs) {
		got = append(got, d.From+" -> "+d.To+": "+d.Summary())
	}
	want := []string{
		"base:haproxy:short (short.cfg) -> head:haproxy:short (short.cfg): 1 line added, 1 removed",
		"base:haproxy:long (long.cfg) -> head:haproxy:long (long.cfg): no difference",
		"base:nginx:short (short.conf) -> head:nginx:short (short.conf): no difference",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestClosesSayHowConnectionsEnded(t *testing.T) {
	table, ok := closesTable.of(configuredFixture(t))
	if !ok || len(table.Rows) != 6 {
		t.Fatalf("%d rows, want two for each of three cells", len(table.Rows))
	}
	if got, want := strings.Join(table.Rows[1], "|"), "haproxy:short|FIN by proxy (idle timeout, cD--)|40|2 s|2 s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnvironmentIsShownWhole(t *testing.T) {
	env := newFixture("x", nil, nil).Environment
	fields, err := environmentFields(env)
	must(t, err)
	for _, want := range []field{{"haproxy", "2.6.12"}, {"memory", "24 GiB"}, {"cores", "2"}, {"limit descriptors", "20000"}, {"started", "2026-03-04 12:00:00 UTC"}} {
		if !slices.Contains(fields, want) {
			t.Errorf("no %q in %q", want, fields)
		}
	}
	// Figures that the environment does not have yet are shown by the unit of their key.
	nested := map[string]any{"echo": map[string]any{"p50_s": 0.000618, "rate_per_s": 500.0, "n": 1000.0}, "doubts": []any{"late"}}
	got := appendFields(nil, "self noise", "self_noise", nested)
	want := []field{{"self noise doubts", "late"}, {"self noise echo n", "1,000"}, {"self noise echo p50", "618 µs"}, {"self noise echo rate", "500/s"}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCommandLineCanBePasted(t *testing.T) {
	got := commandLine([]string{"wsrig", "run", "a b", "--set", "x=1", "it's", "", "$HOME"})
	if want := `wsrig run 'a b' --set x=1 'it'\''s' '' '$HOME'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A drawing that gets into a page is nothing but lines and text, in colours that the
// style sheet has for light and for dark.
func TestDrawingsUseTheStyleSheet(t *testing.T) {
	css, err := pageStyleSheet()
	must(t, err)
	for colour, name := range inks {
		if n := strings.Count(string(css), "--"+name+": #"); n != 3 {
			t.Errorf("the style sheet has %d values of --%s, want one each for light, dark and print", n, name)
		}
		if want := fmt.Sprintf("--%s: #%02x%02x%02x", name, colour.R, colour.G, colour.B); strings.Count(string(css), want) != 2 {
			t.Errorf("the style sheet does not have %s for light and for print, as the plots have it", want)
		}
	}
	for _, bad := range []string{
		`<svg viewBox="0 0 1 1"><script>alert(1)</script></svg>`,
		`<svg viewBox="0 0 1 1"><path d="M0,0&quot;"/></svg>`,
		`<svg viewBox="0 0 1 1"><path d="M0,0" style="fill:url(#x)"/></svg>`,
		`<svg viewBox="0 0 1 1"><path d="M0,0" style="behavior:x"/></svg>`,
		`<svg viewBox="0 0 1 1"><path`,
	} {
		if out, err := inlineSVG([]byte(bad), "x"); err == nil {
			t.Errorf("%s came through as %s", bad, out)
		}
	}
	got, err := inlineSVG([]byte(`<svg viewBox="0 0 320 215"><path d="M0.123,-0.01L99.98,1e-05" style="fill:none;stroke:#0072B2"/><text x="1" y="2" style="font-family:X;font-size:9px">&lt;b&gt;</text></svg>`), `"l"`)
	must(t, err)
	if want := `<svg role="img" aria-label="&#34;l&#34;" viewBox="0 0 320 215"><path d="M0.1,0L100,0" style="fill:none;stroke:var(--haproxy)"></path><text x="1" y="2" style="font-size:9px;fill:var(--black)">&lt;b&gt;</text></svg>`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A run with more to draw than a page may hold says what it left out.
func TestDrawingsKeepBelowTheLimit(t *testing.T) {
	run := load(t, "nodes")
	for i := range 100 {
		c := run.Cells[i%3]
		c.ID, c.Proxy = fmt.Sprintf("haproxy:v%d", i), fmt.Sprintf("haproxy:v%d", i)
		run.Cells = append(run.Cells, c)
	}
	v, err := viewPlots(run)
	must(t, err)
	if v.bytes > maxDrawings || len(v.LeftOut) == 0 || !strings.Contains(v.LeftOut[0], "left out") {
		t.Errorf("%d bytes of drawings, left out: %q", v.bytes, v.LeftOut)
	}
}

// A proxy has one colour everywhere, its parameters or not.
func TestCellsHaveTheColourOfTheirProxy(t *testing.T) {
	for name, want := range map[string]string{
		"direct": "direct", "direct keepalive=none": "direct", "haproxy:x keepalive=a:b": "haproxy", "nginx:./my file.conf": "nginx", "envoy:x": "green",
		"base:haproxy:x": "haproxy", "head:nginx:x keepalive=1s": "nginx", "base:direct": "direct",
	} {
		if got := inkOf(driverColour(name)); got != want {
			t.Errorf("%s is drawn in %q, want %q", name, got, want)
		}
	}
}
