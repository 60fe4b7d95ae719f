package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// IndexFile is the name of the page in the results directory that lists its runs.
const IndexFile = "index.html"

// maxIndexed is how many runs an index lists, the newest.
const maxIndexed = 500

// ErrForeignIndex is the error of WriteIndex where a page that wsrig did not write
// stands in the way.
var ErrForeignIndex = errors.New("it was not written by wsrig, so it stays as it is")

// listed is a run in an index.
type listed struct {
	Dir      string // SCENARIO/TIME-ID, below the results directory
	Link     string // to its page, else empty
	Scenario string
	Started  string
	Status   string
	Reasons  []string
	Proxies  []listedProxy
	Figures  []field
	Err      string // why the run cannot be read
	order    string
}

type listedProxy struct{ Name, Ink string }

type indexPage struct {
	Runs  []listed
	Older int // runs that are not listed
}

// keyFigures are the figures of a run that an index shows, the first few that it has.
var keyFigures = []struct{ name, metric string }{
	{"capacity", "capacity.rate"},
	{"closed after, p50", "idle.closed_after.p50"},
	{"survived", "idle.survived"},
	{"reach", "delivery.reach"},
	{"lost", "delivery.lost"},
	{"latency p50", "delivery.latency.p50"},
	{"latency p99", "delivery.latency.p99"},
	{"deliveries", "delivery.rate"},
	{"connect p50", "handshake.connect.p50"},
}

// maxKeyFigures is how many figures of a run an index shows.
const maxKeyFigures = 4

// WriteIndex makes the page that lists the runs below root, root/SCENARIO/TIME-ID, and
// puts it in its place in one step. A run that cannot be read is listed with the
// reason. The error is ErrForeignIndex where root has an index of somebody else's.
func WriteIndex(root string) error {
	path := filepath.Join(root, IndexFile)
	if ours, err := hasIndex(root); err != nil {
		return fmt.Errorf("index of results: %w", err)
	} else if _, err := os.Lstat(path); err == nil && !ours {
		return fmt.Errorf("index of results: %s: %w", path, ErrForeignIndex)
	}
	dirs, err := resultDirs(root)
	if err != nil {
		return fmt.Errorf("index of results: %w", err)
	}
	var page bytes.Buffer
	if err := writeIndex(&page, root, dirs); err != nil {
		return fmt.Errorf("index of results: %w", err)
	}
	f, err := os.CreateTemp(root, ".index-*.html")
	if err != nil {
		return fmt.Errorf("index of results: %w", err)
	}
	_, err = f.Write(page.Bytes())
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("index of results: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// RefreshIndex writes the index of the results that dir, a run's directory, is among.
// It does nothing where there is none yet: dir may be anywhere.
func RefreshIndex(dir string) error {
	dir, err := filepath.EvalSymlinks(dir) // SCENARIO/latest is a link
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("index of results: %w", err)
	}
	root := filepath.Dir(filepath.Dir(dir))
	if ours, err := hasIndex(root); err != nil || !ours {
		return err
	}
	return WriteIndex(root)
}

// hasIndex tells whether root has an index that wsrig wrote: by the generator that the
// head of every page of it names.
func hasIndex(root string) (bool, error) {
	f, err := os.Open(filepath.Join(root, IndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 1<<10))
	return bytes.Contains(head, []byte(`<meta name="generator" content="wsrig">`)), err
}

// resultDirs are the directories of runs below root, relative to it, the newest first:
// their names begin with the time. Links are not followed.
func resultDirs(root string) ([]string, error) {
	scenarios, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, s := range scenarios {
		if !s.IsDir() {
			continue
		}
		runs, err := os.ReadDir(filepath.Join(root, s.Name()))
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			dir := filepath.Join(s.Name(), r.Name())
			if _, err := os.Stat(filepath.Join(root, dir, result.FileName)); r.IsDir() && err == nil {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.SortFunc(dirs, func(a, b string) int {
		return cmp.Or(cmp.Compare(filepath.Base(b), filepath.Base(a)), cmp.Compare(a, b))
	})
	return dirs, nil
}

// writeIndex writes the page of the runs in dirs, which are relative to root.
func writeIndex(w io.Writer, root string, dirs []string) error {
	p := &indexPage{Older: max(0, len(dirs)-maxIndexed)}
	for _, dir := range dirs[:len(dirs)-p.Older] {
		p.Runs = append(p.Runs, listRun(root, dir))
	}
	slices.SortStableFunc(p.Runs, func(a, b listed) int { return cmp.Compare(b.order, a.order) })
	return execute(w, "index.html", p)
}

func listRun(root, dir string) listed {
	l := listed{Dir: clip(filepath.ToSlash(dir), maxName), order: filepath.Base(dir)}
	if _, err := os.Stat(filepath.Join(root, dir, HTMLFile)); err == nil {
		l.Link = (&url.URL{Path: "./" + filepath.ToSlash(filepath.Join(dir, HTMLFile))}).String()
	}
	run, err := result.ReadHead(filepath.Join(root, dir))
	if err != nil {
		l.Err = clip(strings.ReplaceAll(err.Error(), root+string(filepath.Separator), ""), maxText)
		return l
	}
	l.Scenario, l.Status = clip(run.Scenario, maxName), run.Verdict.Status
	if !run.Environment.Started.IsZero() {
		l.Started = moment(run.Environment.Started)
		l.order = run.Environment.Started.UTC().Format("20060102T150405Z")
	}
	l.Reasons = clipAll(run.Verdict.Reasons, maxName)
	if len(l.Reasons) > 1 {
		l.Reasons = []string{l.Reasons[0], plural(len(l.Reasons)-1, "more reason", "more reasons")}
	}
	for _, c := range run.Cells {
		p := listedProxy{clip(c.Proxy, maxName), inkOf(driverColour(c.Proxy))}
		if !slices.Contains(l.Proxies, p) {
			l.Proxies = append(l.Proxies, p)
		}
	}
	l.Figures = figuresOf(run)
	return l
}

// figuresOf are a run's key figures, from the least to the greatest of its cells.
func figuresOf(run *result.Run) []field {
	var fields []field
	for _, k := range keyFigures {
		lo, hi, unit := math.Inf(1), math.Inf(-1), ""
		for _, c := range run.Cells {
			if m, ok := c.Metrics[k.metric]; ok {
				lo, hi, unit = min(lo, m.Value), max(hi, m.Value), m.Unit
			}
		}
		if lo > hi {
			continue
		}
		text := result.Format(lo, unit)
		if to := result.Format(hi, unit); to != text {
			text += " to " + to
		}
		fields = append(fields, field{k.name, clip(text, maxName)})
		if len(fields) == maxKeyFigures {
			break
		}
	}
	return fields
}
