package result

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "s", "0 s"},
		{2.003, "s", "2.003 s"},
		{2, "s", "2 s"},
		{0.00153, "s", "1.53 ms"},
		{0.000618, "s", "618 µs"},
		{0.0000000421, "s", "42.1 ns"},
		{0.99949, "s", "999 ms"},
		{0.99996, "s", "1 s"},
		{0.0009999, "s", "1 ms"},
		{12.3456, "s", "12.35 s"},
		{9.99999, "s", "10 s"},
		{3600, "s", "3,600 s"},
		{12345.6, "s", "12,346 s"},
		{-0.002, "s", "-2 ms"},
		{0, "count", "0"},
		{12345, "count", "12,345"},
		{-1234567, "count", "-1,234,567"},
		{12.5, "count", "12.5"},
		{0, "bytes", "0 B"},
		{512, "bytes", "512 B"},
		{1023, "bytes", "1,023 B"},
		{1024, "bytes", "1 KiB"},
		{1536, "bytes", "1.5 KiB"},
		{1048575, "bytes", "1 MiB"},
		{123 << 20, "bytes", "123 MiB"},
		{1000 << 10, "bytes", "1,000 KiB"},
		{1 << 50, "bytes", "1,024 TiB"},
		{9626, "B/conn", "9.4 KiB/conn"},
		{1, "ratio", "100 %"},
		{0, "ratio", "0 %"},
		{0.5, "ratio", "50 %"},
		{1.234, "ratio", "123.4 %"},
		{0.99998, "ratio", "99.998 %"},
		{0.9999999, "ratio", "99.99999 %"},
		{1.0000001, "ratio", "100.00001 %"},
		{0.0000004, "ratio", "0.00004 %"},
		{50, "/s", "50/s"},
		{49.9712, "/s", "49.97/s"},
		{12345.67, "/s", "12,346/s"},
		{0.42, "cores", "0.42 cores"},
		{3, "moons", "3 moons"},
		{3.14159, "", "3.142"},
		{math.NaN(), "s", "not a number"},
		{math.Inf(1), "bytes", "not a number"},
		{math.MaxFloat64, "/s", ""},
		{math.SmallestNonzeroFloat64, "s", ""},
	} {
		got := Format(row.value, row.unit)
		if row.want == "" {
			if got == "" {
				t.Errorf("Format(%g, %q) is empty", row.value, row.unit)
			}
			continue
		}
		if got != row.want {
			t.Errorf("Format(%g, %q) = %q, want %q", row.value, row.unit, got, row.want)
		}
	}
}
