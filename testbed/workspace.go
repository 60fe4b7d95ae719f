package testbed

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// workspace is what every runtime on this machine has: a directory for each unit
// below a temporary one, a directory for logs, and ports that are held.
type workspace struct {
	workDir string
	logDir  string

	mu       sync.Mutex
	reserved []int // file descriptors that hold ports
	closed   bool
}

// errClosed is also what a unit gets that is started while its runtime closes.
var errClosed = errors.New("the runtime is closed")

// workPrefix begins the names of working directories; see Leftovers.
const workPrefix = "wsrig-"

// logName is the directory for logs where none is named; no unit has such a name.
const logName = ".logs"

// newWorkspace makes the directories. workDir is a new temporary one, which close
// removes; logDir stays, but "" is one within workDir.
func newWorkspace(logDir string) (*workspace, error) {
	if logDir != "" {
		var err error
		if logDir, err = makeLogDir(logDir); err != nil {
			return nil, err
		}
	}
	work, err := os.MkdirTemp("", workPrefix)
	if err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	// Proxies started as root drop their privileges and must still reach their files.
	if err := os.Chmod(work, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("working directory: %w", err), os.RemoveAll(work))
	}
	if logDir == "" {
		if logDir, err = makeLogDir(filepath.Join(work, logName)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(work))
		}
	}
	return &workspace{workDir: work, logDir: logDir}, nil
}

// makeLogDir makes a directory for logs and returns its absolute path.
func makeLogDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(abs, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("log directory: %w", err)
	}
	return abs, nil
}

// absSelf is the path of the program that stands for Self; "" is this very executable.
func absSelf(self string) (string, error) {
	if self == "" {
		exe, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find this program's own file: %w", err)
		}
		return exe, nil
	}
	if !strings.ContainsRune(self, filepath.Separator) {
		return self, nil
	}
	// Units run in directories of their own.
	abs, err := filepath.Abs(self)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", self, err)
	}
	return abs, nil
}

// reserve holds ports of 127.0.0.1 until close and returns their addresses. On error
// none is kept.
func (w *workspace) reserve(unit string, want map[string]int) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errClosed
	}
	// Fixed ports first: a free one must not happen to be the same.
	names := slices.SortedFunc(maps.Keys(want), func(a, b string) int {
		return cmp.Or(cmp.Compare(want[b], want[a]), cmp.Compare(a, b))
	})
	addrs := make(map[string]string, len(want))
	var held []int
	for _, name := range names {
		fd, addr, err := reservePort(want[name])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: port %q: %w", unit, name, err), closeAll(held))
		}
		if fd >= 0 {
			held = append(held, fd)
		}
		addrs[name] = addr
	}
	w.reserved = append(w.reserved, held...)
	return addrs, nil
}

func closeAll(fds []int) error {
	var errs []error
	for _, fd := range fds {
		errs = append(errs, os.NewSyscallError("close", syscall.Close(fd)))
	}
	return errors.Join(errs...)
}

// Dir implements Runtime.
func (w *workspace) Dir(unit string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.makeDir(unit)
}

// makeDir is Dir for who holds mu, so that close removes whatever it makes.
func (w *workspace) makeDir(unit string) (string, error) {
	if w.closed {
		return "", errClosed
	}
	if unit != filepath.Base(unit) || !filepath.IsLocal(unit) || unit == "." {
		return "", fmt.Errorf("%q cannot be the name of a unit: it must be a plain file name", unit)
	}
	dir := filepath.Join(w.workDir, unit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("%s: unit directory: %w", unit, err)
	}
	return dir, nil
}

// place makes the unit's directory with its files. The caller holds mu.
func (w *workspace) place(u Unit) (dir string, err error) {
	if dir, err = w.makeDir(u.Name); err != nil {
		return "", err
	}
	if err := writeFiles(dir, u.Files); err != nil {
		return "", fmt.Errorf("%s: %w", u.Name, err)
	}
	return dir, nil
}

// logPath is the file that the unit prints to.
func (w *workspace) logPath(unit string) string { return filepath.Join(w.logDir, unit+".log") }

// remove frees the ports and removes the directories of a closed workspace.
func (w *workspace) remove() error {
	return errors.Join(closeAll(w.reserved), os.RemoveAll(w.workDir))
}

func writeFiles(dir string, files []File) error {
	for _, f := range files {
		if !filepath.IsLocal(f.Name) {
			return fmt.Errorf("file %q is outside the unit's directory", f.Name)
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("file %s: %w", f.Name, err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return fmt.Errorf("file %s: %w", f.Name, err)
		}
	}
	return nil
}
