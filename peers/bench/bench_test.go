//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBench(t *testing.T) *bench {
	if err := adopt(); err != nil {
		t.Fatal(err)
	}
	return &bench{dir: t.TempDir(), out: io.Discard, progress: io.Discard, settings: settings{results: t.TempDir()}}
}

func TestUsageIsOfTheWholeGroupAndEndLeavesNothing(t *testing.T) {
	b := newBench(t)
	p, err := b.start(command{name: "busy", core: anyCore, argv: []string{"sh", "-c", `sleep 60 & echo "$!"; while :; do :; done`}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.end(false)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var child string
	err = await(ctx, 20*time.Second, "CPU of the shell", func() (bool, error) {
		u, err := p.usage()
		text, readErr := os.ReadFile(p.out)
		child = strings.TrimSpace(string(text))
		return u.cpu > 0.05 && u.rss > 0 && child != "", errors.Join(err, readErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.end(false)
	if _, err := p.usage(); err == nil {
		t.Error("the usage of a process that has ended is no error")
	}
	if _, err := os.Stat("/proc/" + child); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the child is left, if only as a zombie: %v", err)
	}
}

func TestAProcessThatEndsEarlyTellsItsLastLines(t *testing.T) {
	b := newBench(t)
	p, err := b.start(command{name: "broken", core: anyCore, argv: []string{"sh", "-c", "echo no such port >&2; exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.end(true)
	_, err = p.listening(context.Background())
	if err == nil || !strings.Contains(err.Error(), "broken ended early: exit status 3; its last lines: no such port") {
		t.Errorf("error is %v", err)
	}
}

func TestSeriesShowsMedianAndSpread(t *testing.T) {
	for _, row := range []struct {
		sentence string
		values   []float64
		failed   int
		want     string
	}{
		{"nothing was measured", nil, 0, "none"},
		{"every trial failed", nil, 2, "none"},
		{"one trial", []float64{3}, 0, "3"},
		{"an odd number", []float64{9, 1, 4}, 0, "4 (1 to 9)"},
		{"an even number", []float64{1, 2, 4, 9}, 0, "3 (1 to 9)"},
		{"one of three failed", []float64{1, 3}, 1, "2 (1 to 3), 1 of 3 failed"},
	} {
		var s series
		for _, v := range row.values {
			s.add(v, nil)
		}
		for range row.failed {
			s.add(0, errors.New("no"))
		}
		if got := s.text(perSecond); got != row.want {
			t.Errorf("%s: %q, want %q", row.sentence, got, row.want)
		}
	}
}

func TestAGoalIsMetOnItsSideOfTheTarget(t *testing.T) {
	for _, row := range []struct {
		sentence string
		g        goal
		v        float64
		met      bool
		ratio    string
	}{
		{"memory below its bound", goal{Target: 10, AtMost: true}, 7, true, "0.70"},
		{"memory above its bound", goal{Target: 10, AtMost: true}, 12, false, "1.20"},
		{"a rate above its bound", goal{Target: 8000}, 9600, true, "1.20"},
		{"a rate below its bound", goal{Target: 8000}, 4000, false, "0.50"},
		{"no failures, as asked for", goal{AtMost: true}, 0, true, ""},
		{"failures where none may be", goal{AtMost: true}, 1, false, ""},
	} {
		row.g.Values.add(row.v, nil)
		if cells := row.g.cells(); row.g.met() != row.met || cells[3] != row.ratio {
			t.Errorf("%s: %q", row.sentence, cells)
		}
	}
	if (&goal{AtMost: true}).met() {
		t.Error("a goal without a value is met")
	}
}

// A peer that is not here stays in the table, with the reason, and fails nothing; what
// wsrig has not measured is an error.
func TestPeersTableShowsWhatIsMissing(t *testing.T) {
	own := &peerFigures{Name: "wsrig epoll", Version: "v", Idle: 1000, generator: &generator{own: true}}
	slow := &peerFigures{Name: "other", Version: "v", Idle: 1000, generator: &generator{}}
	gone := &peerFigures{Name: "missing", Absent: "not installed: no network", generator: &generator{}}
	for _, s := range []*series{&own.PerClient, &own.Connects, &own.ConnectsPerCore, &own.Echoes, &own.EchoesPerCore, &own.EchoCores, &own.Late, &own.Achieved, &own.PaceCores} {
		s.add(2, nil)
	}
	slow.PerClient.add(8, nil)
	slow.Echoes.add(0.5, nil)
	slow.Late.add(0, errors.New("it fell over"))
	all := []*peerFigures{own, slow, gone}
	var out strings.Builder
	if err := peersTable(all).plain(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"missing      not installed: no network", "failed: it fell over"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "other ") && strings.Count(line, "4.0") != 2 {
			t.Errorf("other needs 4 times the memory and does a quarter of the echoes: %s", line)
		}
	}
	if err := ownFailures(all); err != nil {
		t.Error(err)
	}
	own.Echoes = series{Failed: []string{"no answer"}}
	var unfit wsrigError
	if err := ownFailures(all); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("error is %v", err)
	}
}

func TestUsageErrorsSayWhatToDo(t *testing.T) {
	for _, args := range [][]string{nil, {"race"}, {"peers", "-trials", "0"}, {"scale", "-idle", "3"}, {"peers", "extra"}, {"peers", "-x"}} {
		var stderr strings.Builder
		if code := run(context.Background(), args, io.Discard, &stderr); code != exitUsage || stderr.Len() == 0 {
			t.Errorf("%q: exit code %d, %q", args, code, &stderr)
		}
	}
}
