package result

import (
	"math"
	"strconv"
	"strings"
)

// Format writes a figure of the given metric unit for people: "2.003 s",
// "1.53 ms", "618 µs", "12.3 MiB", "12,345", "99.998 %", "50/s". All output of the
// rig goes through it, so that one figure reads the same everywhere.
//
// Durations below a second have three significant digits, above it four. A ratio
// is shown as a percentage, and one that a check would not take for 0 or 1 is never
// rounded to 0 % or 100 %. A value that is not finite is "not a number". An unknown unit is
// written behind the number as it is.
func Format(value float64, unit string) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "not a number"
	}
	switch unit {
	case "s":
		return formatSeconds(value)
	case "bytes":
		return formatBytes(value)
	case "B/conn":
		return formatBytes(value) + "/conn"
	case "count":
		return formatCount(value)
	case "ratio":
		return formatPercent(value) + " %"
	case "/s":
		return significant(value, 4) + "/s"
	case "":
		return significant(value, 4)
	default:
		return significant(value, 4) + " " + unit
	}
}

func formatSeconds(v float64) string {
	for _, step := range []struct {
		name   string
		factor float64
	}{{"ns", 1e9}, {"µs", 1e6}, {"ms", 1e3}} {
		// Rounding comes first: 999.96 ms is 1 s, not 1000 ms.
		if v == 0 || math.Abs(round(v*step.factor, 3)) >= 1000 {
			continue
		}
		return significant(v*step.factor, 3) + " " + step.name
	}
	return significant(v, 4) + " s"
}

func formatBytes(v float64) string {
	if math.Abs(v) < 1024 {
		return significant(v, 4) + " B"
	}
	names := []string{"KiB", "MiB", "GiB", "TiB"}
	for i, name := range names {
		v /= 1024
		if math.Abs(round(v, max(3, digits(v)))) < 1024 || i == len(names)-1 {
			return significant(v, max(3, digits(v))) + " " + name
		}
	}
	panic("unreachable: the last unit always returns")
}

// formatCount has no decimals, but for a median that lies between two counts.
func formatCount(v float64) string {
	if v == math.Trunc(v) {
		return commas(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return commas(trimZeros(strconv.FormatFloat(v, 'f', 2, 64)))
}

func formatPercent(v float64) string {
	if nearly(v, 1, 1) {
		return "100"
	}
	p := v * 100
	for n := 4; n < 15; n++ {
		s := significant(p, n)
		if s != "100" {
			return s
		}
	}
	return strconv.FormatFloat(p, 'g', -1, 64)
}

// significant writes v with n significant digits (all digits before the point are
// always written), without trailing zeros and with thousands apart.
func significant(v float64, n int) string {
	if v == 0 {
		return "0"
	}
	v = round(v, max(n, digits(v)))
	return commas(trimZeros(strconv.FormatFloat(v, 'f', max(0, n-digits(v)), 64)))
}

// round rounds v to n significant digits.
func round(v float64, n int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', n-1, 64), 64)
	if err != nil {
		return v // beyond float64 by rounding up: keep what there was
	}
	return r
}

// digits is the number of digits before the decimal point: 3 for 123.4, 0 for
// 0.12, -1 for 0.012.
func digits(v float64) int {
	if v == 0 {
		return 1
	}
	return int(math.Floor(math.Log10(math.Abs(v)))) + 1
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func commas(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return sign + whole
}
