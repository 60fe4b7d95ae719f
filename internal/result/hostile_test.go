package result

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// hostileHDR is an encoded histogram with the header asked for, and zeros behind it.
func hostileHDR(t *testing.T, payload, digits int32, lowest, highest int64, zeros int) string {
	t.Helper()
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	write := func(values ...any) {
		for _, v := range values {
			if err := binary.Write(z, binary.BigEndian, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(int32(0x1c849313), payload, int32(0), digits, lowest, highest, float64(1))
	block := make([]byte, 1<<20)
	for ; zeros > 0; zeros -= len(block) {
		write(block[:min(zeros, len(block))])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	for _, v := range []any{int32(0x1c849314), int32(packed.Len()), packed.Bytes()} {
		if err := binary.Write(&whole, binary.BigEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return base64.StdEncoding.EncodeToString(whole.Bytes())
}

// Each row changes a sound run.json. Reading it has to fail with the file, the place
// and what to do, and without taking much memory.
func TestReadRefusesHostileFiles(t *testing.T) {
	good, err := encode(everyField(t))
	if err != nil {
		t.Fatal(err)
	}
	hdr := func(with string) [2]string { return [2]string{`"hdr": "`, `"hdr": "` + with + `", "x": "`} }
	for _, row := range []struct {
		sentence string
		change   [2]string // from, to
		want     string
	}{
		{"a name twice", [2]string{`"runtime":`, `"bus": "a", "runtime":`}, `at "/environment/bus" is there twice`},
		{"a version twice", [2]string{`"scenario":`, `"schema": 2, "scenario":`}, `at "/schema" is there twice`},
		{"a plan that nests deep", [2]string{`"seed":`, `"x": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `, "seed":`}, "nests deeper than 64"},
		{"brackets without end", [2]string{`"marks": [`, `"marks": ` + strings.Repeat("[", 1<<20)}, "nests deeper than 64"},
		{"text that is not UTF-8", [2]string{`"go": "`, `"go": "` + "\xff"}, "invalid UTF-8"},
		{"half a character", [2]string{`"go": "`, `"go": "\ud800`}, "surrogate"},
		{"NaN", [2]string{`"value": 0.3`, `"value": NaN, "x": 0.3`}, "invalid character 'N'"},
		{"NaN as a text", [2]string{`"value": 0.3`, `"value": "NaN", "x": 0.3`}, "cannot unmarshal string"},
		{"a number beyond all", [2]string{`"count": 4`, `"count": 99999999999999999999`}, "cannot unmarshal number"},
		{"a chance above one", [2]string{`"alpha": 0.05`, `"alpha": 5`}, "alpha 5 is no level of significance"},
		{"a time beyond all", [2]string{`"start_s": 0.5`, `"start_s": 1e300`}, "no times of a trial"},
		{"fewer than no deliveries", [2]string{`"deliveries": 0`, `"deliveries": -1`}, "intervals[0]: a count is negative"},
		{"fewer than none lost", [2]string{`"lost": 1`, `"lost": -1`}, "losses[0]: a count is negative"},
		{"a path out of the folder", [2]string{`"name": "haproxy.cfg"`, `"name": "../../haproxy.cfg"`}, `config[0]: "../../haproxy.cfg" is no plain file name`},
		{"the folder above", [2]string{`"name": "haproxy.cfg"`, `"name": ".."`}, `config[0]: ".." is no plain file name`},
		{"an id without end", [2]string{`"id": "direct"`, `"id": "` + strings.Repeat("x", 2000) + `"`}, "its id has 2000 bytes; it may have 1000"},
		{"extremes the wrong way round", [2]string{`"max": 600000`, `"max": 0`}, "least value 1 above the greatest, 0"},
		{"a histogram of another shape", hdr(hostileHDR(t, 0, 5, 1, 1<<62, 0)), "in 5 digits; this rig writes"},
		{"a histogram that inflates to 32 MiB", hdr(hostileHDR(t, 8, HistDigits, HistMin, HistMax, 32<<20)), "histogram is damaged"},
		{"a histogram with a payload of 2 GiB", hdr(hostileHDR(t, 1<<31-1, HistDigits, HistMin, HistMax, 16)), "histogram is damaged"},
		{"a histogram that is no base64", hdr("%%%"), "histogram is damaged"},
	} {
		if !strings.Contains(string(good), row.change[0]) {
			t.Fatalf("%s: no %s in the sample", row.sentence, row.change[0])
		}
		path := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(path, []byte(strings.Replace(string(good), row.change[0], row.change[1], 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(path)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s was read", row.sentence)
			continue
		}
		for _, want := range []string{path, row.want, "repeat the run"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q: %.500v", row.sentence, want, err)
			}
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
			t.Errorf("%s: it took %d bytes to refuse it", row.sentence, took)
		}
	}
}

// Wherever a file is cut, it is refused, and the error says so.
func TestReadRefusesEveryTruncation(t *testing.T) {
	good, err := encode(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(good, "\n"))
	for n := 1; n < end; n += 67 {
		if _, err := decode(good[:n]); err == nil || !strings.Contains(err.Error(), "unexpected end of JSON input") || !strings.Contains(err.Error(), "line ") {
			t.Fatalf("the first %d of %d bytes: %v", n, end, err)
		}
	}
}

func TestErrorsKeepLongPlacesShort(t *testing.T) {
	name, err := json.Marshal(strings.Repeat("ü\x1b", 5000))
	if err != nil {
		t.Fatal(err)
	}
	_, err = decode(fmt.Appendf(nil, "{\n\"schema\": 1, %s: {\"a\": 1,\n \"a\": 2}}", name))
	if err == nil || !strings.Contains(err.Error(), "line 3") || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("error %.2000q, want a short one with line 3 and no escape sequence", err)
	}
}

// What a run carries of others, its plan, cannot make a file that Read refuses.
func TestWriteRefusesAPlanThatReadWouldRefuse(t *testing.T) {
	for _, plan := range []string{`{"a": 1, "a": 2}`, strings.Repeat("[", 100) + strings.Repeat("]", 100), "\"\xff\""} {
		run := sample(t)
		run.Plan = []byte(plan)
		if err := Write(t.TempDir(), run); err == nil {
			t.Errorf("a plan of %.20q was written", plan)
		}
	}
}
