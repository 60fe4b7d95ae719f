package report

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wsrig/internal/result"
)

func TestIndexListsRunsTheNewestFirst(t *testing.T) {
	root := t.TempDir()
	save := func(dir string, run *result.Run) {
		t.Helper()
		dir = filepath.Join(root, dir)
		must(t, os.MkdirAll(dir, 0o755))
		must(t, result.Write(dir, run))
		must(t, os.WriteFile(filepath.Join(dir, HTMLFile), pageOf(t, run), 0o644))
	}
	save("smoke/20260304T120000Z-aaaaaa", load(t, "smoke"))
	later := load(t, "idle-timeout")
	later.Environment.Started = later.Environment.Started.AddDate(0, 0, 1)
	save("idle-timeout/20260305T120000Z-bbbbbb", later)
	save(`<b>#?%"'/20260303T120000Z-cccccc`, hostileFixture(t))
	must(t, os.MkdirAll(filepath.Join(root, "broken", "20260101T000000Z-dddddd"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "broken", "20260101T000000Z-dddddd", result.FileName), []byte(`{"schema": 1`), 0o644))
	must(t, os.Symlink("20260304T120000Z-aaaaaa", filepath.Join(root, "smoke", "latest")))

	must(t, WriteIndex(root))
	page, err := os.ReadFile(filepath.Join(root, IndexFile))
	must(t, err)
	isSound(t, page)
	doc, err := html.Parse(bytes.NewReader(page))
	must(t, err)
	var links, rows []string
	elements(doc, func(n *html.Node) {
		switch {
		case n.Data == "a" && attr(n, "class") == "":
			links = append(links, attr(n, "href"))
		case n.Data == "tr":
			rows = append(rows, squeezed(text(n)))
		}
	})
	want := []string{"./idle-timeout/20260305T120000Z-bbbbbb/report.html", "./smoke/20260304T120000Z-aaaaaa/report.html"}
	if len(links) != 3 || !slices.Contains(links, want[0]) || !slices.Contains(links, want[1]) || len(rows) != 5 {
		t.Fatalf("links %q in %d rows", links, len(rows))
	}
	if !strings.HasPrefix(rows[1], "idle-timeout 2026-03-05 12:00:00 UTC ✗ FAIL") || !strings.Contains(rows[1], "closed after, p50") {
		t.Errorf("the first row is %q", rows[1])
	}
	if last := rows[4]; !strings.Contains(last, "UNREADABLE") || !strings.Contains(last, "broken") || strings.Contains(last, root) {
		t.Errorf("the last row is %q", last)
	}
	left, err := filepath.Glob(filepath.Join(root, ".index*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}

func TestIndexLeavesOtherPagesAlone(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, IndexFile)
	dir := filepath.Join(root, "smoke", "x")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, result.Write(dir, load(t, "smoke")))

	must(t, RefreshIndex(dir))
	if _, err := os.Stat(path); err == nil {
		t.Error("a report made an index where there was none")
	}
	must(t, os.WriteFile(path, []byte("<h1>mine</h1>"), 0o644))
	if err := WriteIndex(root); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("somebody's page: error %v, want one that names %s", err, path)
	}
	must(t, RefreshIndex(dir))
	if data, err := os.ReadFile(path); err != nil || string(data) != "<h1>mine</h1>" {
		t.Errorf("somebody's page became %q, %v", data, err)
	}
	must(t, os.Remove(path))
	must(t, WriteIndex(root))
	must(t, os.RemoveAll(filepath.Join(root, "smoke", "x", result.FileName)))
	must(t, result.Write(dir, load(t, "restart")))
	must(t, RefreshIndex(dir))
	if data, err := os.ReadFile(path); err != nil || !bytes.Contains(data, []byte("restart")) {
		t.Errorf("the index was not renewed: %v", err)
	}
	if err := WriteIndex(filepath.Join(root, "nowhere")); err == nil {
		t.Error("a results directory that does not exist has an index")
	}
}
