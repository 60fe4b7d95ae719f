package result

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func figures() map[string]Metric {
	return map[string]Metric{
		"handshake.failed":       {Value: 0, Unit: "count"},
		"idle.survived":          {Value: 0, Unit: "ratio"},
		"declared.survived":      {Value: 0, Unit: "ratio"},
		"idle.closed_after.p50":  {Value: 2.003, Unit: "s"},
		"idle.closed_after.max":  {Value: 2.25, Unit: "s"},
		"declared.closed_after":  {Value: 2, Unit: "s"},
		"delivery.reach":         {Value: math.Nextafter(1, 0), Unit: "ratio"},
		"delivery.sent":          {Value: 250, Unit: "count"},
		"delivery.lost":          {Value: 250.0000001, Unit: "count"},
		"rate.achieved":          {Value: 49.1, Unit: "/s"},
		"rate.asked":             {Value: 50, Unit: "/s"},
		"usage.rss_proxy":        {Value: 10_000, Unit: "bytes"},
		"delivery.backplane_tax": {Value: -0.002, Unit: "s"},
		"usage.cpu_proxy":        {Value: math.NaN(), Unit: "cores"},
	}
}

func TestEval(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sentence, expr string
		want           string // holds, fails, not judged, does not apply
		got, wanted    string
		missing        string
	}{
		{"a count equals", "handshake.failed == 0", "holds", "0", "0", ""},
		{"a count differs", "delivery.sent == 249", "fails", "250", "249", ""},
		{"counts are compared exactly", "delivery.lost == delivery.sent", "fails", "250", "250", ""},
		{"floats are equal up to their last bits", "delivery.reach == 100%", "holds", "100 %", "100 %", ""},
		{"a float just below one is still at least one", "delivery.reach >= 1.0", "holds", "100 %", ">= 100 %", ""},
		{"a float just below one is not less than one", "delivery.reach < 1", "fails", "100 %", "< 100 %", ""},
		{"not equal", "delivery.sent != 0", "holds", "250", "!= 0", ""},
		{"less", "idle.closed_after.p50 < 2s", "fails", "2.003 s", "< 2 s", ""},
		{"greater, in another unit of time", "idle.closed_after.p50 > 2002ms", "holds", "2.003 s", "> 2.002 s", ""},
		{"a duration of two units", "idle.closed_after.p50 <= 1m30s", "holds", "2.003 s", "<= 90 s", ""},
		{"operators need no spaces", "idle.closed_after.p50<=5s", "holds", "2.003 s", "<= 5 s", ""},
		{"zero needs no unit", "idle.closed_after.p50 > 0", "holds", "2.003 s", "> 0 s", ""},
		{"a figure may be negative", "delivery.backplane_tax >= -3ms", "holds", "-2 ms", ">= -3 ms", ""},
		{"kilobytes are 1000 bytes", "usage.rss_proxy == 10KB", "holds", "9.77 KiB", "9.77 KiB", ""},
		{"kibibytes are 1024 bytes", "usage.rss_proxy < 10KiB", "holds", "9.77 KiB", "< 10 KiB", ""},
		{"a rate per minute", "rate.achieved < 3000/m", "holds", "49.1/s", "< 50/s", ""},
		{"another metric", "rate.achieved <= rate.asked", "holds", "49.1/s", "<= 50/s", ""},
		{"within a share of a metric", "rate.achieved within 5% of rate.asked", "holds", "49.1/s", "50/s ± 5 %", ""},
		{"outside a share of a value", "rate.achieved within 1% of 50/s", "fails", "49.1/s", "50/s ± 1 %", ""},
		{"within an amount", "idle.closed_after.max within 300ms of declared.closed_after", "holds", "2.25 s", "2 s ± 300 ms", ""},
		{"the edge of the tolerance belongs to it", "idle.closed_after.max within 250ms of declared.closed_after", "holds", "2.25 s", "2 s ± 250 ms", ""},
		{"outside an amount", "idle.closed_after.max within 200ms of 2s", "fails", "2.25 s", "2 s ± 200 ms", ""},
		{"a condition that holds", "idle.closed_after.p50 within 10% of 2s when declared.survived == 0 and idle.survived == 0%", "holds", "2.003 s", "2 s ± 10 %", ""},
		{"a condition that does not hold", "idle.closed_after.p50 > 5s when declared.survived == 1", "does not apply", "2.003 s", "> 5 s", ""},
		{"a condition that does not hold outweighs what is missing", "idle.silence.p50 > 5s when declared.idle_timeout > 0 and declared.survived == 1", "does not apply", "no data", "> 5 s", ""},
		{"no data is not a pass", "delivery.duplicate == 0", "not judged", "no data", "0", "delivery.duplicate"},
		{"no data to compare with", "idle.closed_after.p50 within 10% of declared.idle_timeout", "not judged", "2.003 s", "declared.idle_timeout ± 10 %", "declared.idle_timeout"},
		{"no data in a condition", "handshake.failed == 0 when declared.idle_timeout > 1s", "not judged", "0", "0", "declared.idle_timeout"},
		{"each missing metric once", "idle.silence.p50 > idle.silence.p50 when idle.silence.p50 > 0", "not judged", "no data", "> idle.silence.p50", "idle.silence.p50"},
		{"a value that is no number is no data", "usage.cpu_proxy < 1", "not judged", "no data", "< 1 cores", "usage.cpu_proxy"},
	} {
		e, err := ParseExpr(row.expr)
		if err != nil {
			t.Errorf("%s: %s: %v", row.sentence, row.expr, err)
			continue
		}
		out := e.Eval(figures())
		if got := describe(out); got != row.want {
			t.Errorf("%s: %s %s, want it to be: %s", row.sentence, row.expr, got, row.want)
		}
		if out.Got != row.got || out.Want != row.wanted {
			t.Errorf("%s: %s shows got %q, want %q; should be %q, %q", row.sentence, row.expr, out.Got, out.Want, row.got, row.wanted)
		}
		if missing := strings.Join(out.Missing, " "); missing != row.missing {
			t.Errorf("%s: %s misses %q, want %q", row.sentence, row.expr, missing, row.missing)
		}
	}
}

func describe(o Outcome) string {
	switch {
	case !o.Applies:
		return "does not apply"
	case o.OK == nil:
		return "not judged"
	case *o.OK:
		return "holds"
	default:
		return "fails"
	}
}

func TestParseExprErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ sentence, expr, want string }{
		{"nothing", "  ", "column 1: the check is empty; write METRIC OP VALUE, as in handshake.failed == 0"},
		{"only a metric", "handshake.failed", "column 17: an operator and a value are missing after handshake.failed; write handshake.failed == 200"},
		{"no value", "handshake.failed == ", "column 21: a value is missing here; write one such as 200"},
		{"unknown metric", "idle.survivd == 1", `column 1: unknown metric "idle.survivd"; did you mean "idle.survived"?`},
		{"a distribution without its figure", "idle.closed_after < 5s", "column 1: idle.closed_after is a distribution: say which figure, as in idle.closed_after.p50 (one of min, p50, p90, p99, p99.9, max, mean)"},
		{"one equals sign", "handshake.failed = 0", "column 18: = compares nothing; write =="},
		{"an operator of another language", "handshake.failed === 0", `column 18: "===" is no operator; use one of == != < <= > >=, or within TOLERANCE of`},
		{"time for a share", "idle.survived <= 5s", "column 18: 5s does not fit idle.survived, which is in shares; write a value such as 100% or 1.0"},
		{"zero of another dimension", "idle.closed_after.p50 > 0%", "column 25: 0% does not fit idle.closed_after.p50, which is in seconds; write a value such as 300ms, 5s or 1m30s"},
		{"a number for time", "idle.closed_after.p50 > 5", "column 25: 5 has no unit, and idle.closed_after.p50 is in seconds; write a value such as 300ms, 5s or 1m30s"},
		{"a space before the unit", "idle.closed_after.p50 > 5 s", "column 25: 5 s has a space in it; write 5s"},
		{"an unknown unit", "idle.closed_after.p50 > 5sec", `column 25: "5sec" has the unknown unit "sec"; use one of % /h /m /s B GB GiB KB KiB MB MiB h m ms ns s us µs μs`},
		{"no number", "handshake.failed == -", `column 21: "-" is no number`},
		{"a broken count", "handshake.failed == 1.5", "column 21: handshake.failed is a count and never 1.5; compare with < or >, or a whole number"},
		{"metrics of two units", "idle.closed_after.p50 < idle.survived", "column 25: idle.closed_after.p50 is in seconds and idle.survived in shares; they cannot be compared"},
		{"neither number nor metric", "handshake.failed == none", `column 21: "none" is neither a number nor a metric: unknown metric "none"`},
		{"no tolerance", "rate.achieved within", "column 21: a tolerance is missing after within; write within 10% of VALUE"},
		{"no of", "rate.achieved within 5% rate.asked", "column 25: the word of is missing after within 5%; write within 5% of VALUE"},
		{"a tolerance of another dimension", "rate.achieved within 5s of rate.asked", "column 22: 5s does not fit rate.achieved, which is in events per second; write a value such as 50/s or 12/m, or a percentage such as 10%"},
		{"a negative tolerance", "rate.achieved within -5% of rate.asked", "column 22: the tolerance -5% is negative; leave the sign out"},
		{"two claims", "handshake.failed == 0 and idle.survived == 1", `column 23: "and" joins only the conditions after when; write two checks`},
		{"something left over", "handshake.failed == 0 always", `column 23: "always" is left over; a check is METRIC OP VALUE [when METRIC OP VALUE]`},
		{"an empty condition", "handshake.failed == 0 when", "column 27: a metric is missing here; write METRIC OP VALUE"},
		{"conditions joined by another word", "handshake.failed == 0 when idle.survived == 1 or idle.survived == 0", `column 47: "or" is left over; join conditions with and`},
		{"too long", strings.Repeat("x", 1001), "column 1: a check of 1001 bytes is longer than the limit of 1000; split it"},
		{"columns count characters, not bytes", "idle.closed_after.p50 > 5µs ünd", `column 29: "ünd" is left over; a check is METRIC OP VALUE [when METRIC OP VALUE]`},
	} {
		_, err := ParseExpr(row.expr)
		var e *ExprError
		if !errors.As(err, &e) || err.Error() != row.want {
			t.Errorf("%s: ParseExpr(%q)\n got %v\nwant %s", row.sentence, row.expr, err, row.want)
		}
	}
}

func TestExprMetricsAreListedOnce(t *testing.T) {
	t.Parallel()
	e, err := ParseExpr("idle.closed_after.p50 within 10% of declared.closed_after when declared.survived == 0 and declared.closed_after > 1s")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"idle.closed_after.p50", "declared.closed_after", "declared.survived"}
	if got := e.Metrics(); !slices.Equal(got, want) {
		t.Errorf("Metrics() = %v, want %v", got, want)
	}
}

func TestEveryUnitOfTheTableCanBeChecked(t *testing.T) {
	t.Parallel()
	for _, d := range Metrics {
		examples, ok := ValueUnits[d.Unit]
		if !ok {
			t.Errorf("%s is in %q, for which ValueUnits has no example", d.Name, d.Unit)
			continue
		}
		name := d.Name
		if d.Dist {
			name += ".p50"
		}
		for _, value := range strings.FieldsFunc(strings.ReplaceAll(examples, " or ", ","), func(r rune) bool { return r == ',' || r == ' ' }) {
			if _, err := ParseExpr(name + " < " + value); err != nil {
				t.Errorf("the example %s for the unit %s: %v", value, d.Unit, err)
			}
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "128": 128, "512B": 512, "10KB": 10_000, "4KiB": 4096, "1.5KiB": 1536, "1MiB": 1 << 20} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                      `"" is no size; write bytes, as in 128, or 4KiB`,
		"5s":                    `"5s" is no size; write bytes, as in 128, or 4KiB`,
		"4 KiB":                 `"4 KiB" is no size; write bytes, as in 128, or 4KiB`,
		"-1":                    "a size of -1 is out of range; write 0 to 1099511627776 bytes",
		"9999999999999999999GB": "a size of 9999999999999999999GB is out of range; write 0 to 1099511627776 bytes",
		"1.5":                   `"1.5" is no whole number of bytes; write 2`,
	} {
		if _, err := ParseSize(text); err == nil || err.Error() != want {
			t.Errorf("ParseSize(%q): %v, want %s", text, err, want)
		}
	}
}

func FuzzParseExpr(f *testing.F) {
	for _, s := range []string{"handshake.failed == 0", "rate.achieved within 5% of rate.asked when idle.survived < 1 and delivery.lost != 0", "idle.closed_after.p50 > 5 s", "µ", "delivery.reach >= -.5%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpr(text)
		if err != nil {
			var ee *ExprError
			if !errors.As(err, &ee) || ee.Column < 1 || ee.Column > len([]rune(text))+1 {
				t.Fatalf("ParseExpr(%q): %v has no valid column", text, err)
			}
			return
		}
		if out := e.Eval(nil); out.OK != nil || len(out.Missing) == 0 {
			t.Fatalf("%q is judged without any data: %+v", text, out)
		}
		again, err := ParseExpr(e.String())
		if err != nil || !slices.Equal(again.Metrics(), e.Metrics()) {
			t.Fatalf("%q does not parse again: %v", e, err)
		}
	})
}
