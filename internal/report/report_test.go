package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"wsrig/internal/result"
)

var update = flag.Bool("update", false, "make the fixtures and golden files again")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load reads a fixture. With -update it is made again first.
func load(t *testing.T, name string) *result.Run {
	t.Helper()
	dir := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll(dir, 0o755))
		must(t, result.Write(dir, fixtures[name](t)))
	}
	run, err := result.Read(dir)
	must(t, err)
	return run
}

// golden compares got with a file of testdata. With -update it is written instead.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	path = filepath.Join("testdata", path)
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is rendered now; look at it with: go test ./internal/report -update && git diff\n%s", path, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(g), len(w)) {
		var a, b []byte
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if !bytes.Equal(a, b) {
			return "got:  " + string(a) + "\nwant: " + string(b)
		}
	}
	return ""
}

// The golden files were written by another process, from the same run.json.
func TestReportsAreAFunctionOfTheRunFile(t *testing.T) {
	for name := range fixtures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load(t, name)
			raw, err := os.ReadFile(filepath.Join("testdata", name, result.FileName))
			must(t, err)
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, result.FileName), raw, 0o644))
			run, err := result.Read(dir)
			must(t, err)
			must(t, WriteAll(run, dir))
			for path, data := range files(t, dir) {
				switch filepath.Ext(path) {
				case ".png":
					isImage(t, path, data)
					continue
				case ".html": // what must be true of a page is in html_test.go
					continue
				}
				if filepath.Ext(path) == ".svg" {
					isXML(t, path, data)
				}
				golden(t, filepath.Join(name, path), data)
			}
		})
	}
}

func isImage(t *testing.T, path string, data []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	must(t, err)
	if w := img.Bounds().Dx(); w != 1350 {
		t.Errorf("%s is %d pixels wide, want 1350: 675 points at 144 dpi", path, w)
	}
}

func isXML(t *testing.T, path string, data []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s is not XML: %v", path, err)
		}
	}
}

// files are the contents below dir by relative path, run.json left out.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == result.FileName {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = data
		return err
	}))
	return out
}

func TestWriteAllRemovesPlotsWithoutDataAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	run := load(t, "idle-timeout")
	must(t, os.MkdirAll(filepath.Join(dir, PlotDir), 0o755))
	for _, name := range []string{"latency.svg", "connections-2.png", "mine.svg", "latency-notes.svg"} {
		must(t, os.WriteFile(filepath.Join(dir, PlotDir, name), []byte("old"), 0o644))
	}
	must(t, WriteAll(run, dir))
	var left []string
	for path := range files(t, dir) {
		left = append(left, path)
	}
	slices.Sort(left)
	want := []string{"plots/latency-notes.svg", "plots/mine.svg", "plots/survival.png", "plots/survival.svg", "report.html", "report.md", "report.txt"}
	if !slices.Equal(left, want) {
		t.Errorf("left %q\nwant %q", left, want)
	}
}
