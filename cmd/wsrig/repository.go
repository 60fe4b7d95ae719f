package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"wsrig/internal/scenario"
)

// Longest git command, and longest build of a chat node.
const (
	gitTimeout   = 2 * time.Minute
	buildTimeout = 10 * time.Minute
)

// repository is the git repository around the working directory.
type repository struct{ top string }

func openRepository(ctx context.Context) (*repository, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fmt.Errorf("%w: git is not installed, and --base takes the configurations from it; install with: apt-get install git", errTestbed)
	}
	top, err := git(ctx, "", nil, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, usageError{fmt.Errorf("the working directory is in no git repository, so there is no --base to compare with: %w", err)}
	}
	return &repository{top}, nil
}

// git runs a git command in dir and returns its output without the last line end.
func git(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), env...), time.Second
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%w: git %s: %w", errTestbed, args[0], context.Cause(ctx))
		}
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// describe says what the working tree is.
func (r *repository) describe(ctx context.Context) (string, error) {
	commit, err := git(ctx, r.top, nil, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "", fmt.Errorf("%w: %w", errTestbed, err)
	}
	changes, err := git(ctx, r.top, nil, "status", "--porcelain")
	if err != nil {
		return "", fmt.Errorf("%w: %w", errTestbed, err)
	}
	if changes != "" {
		return fmt.Sprintf("working tree (commit %s, with changes)", commit), nil
	}
	return fmt.Sprintf("working tree (commit %s)", commit), nil
}

// checkout is the tree of a commit in a temporary folder.
type checkout struct {
	temp   string // removed with all that is in it
	dir    string // the tree
	commit string
}

// checkOut writes the tree of a reference to a temporary folder. Nothing of it is
// recorded in the repository: its index is a file in that folder too.
func (r *repository) checkOut(ctx context.Context, ref string) (*checkout, error) {
	commit, err := git(ctx, r.top, nil, "rev-parse", "--short=12", "--verify", "--end-of-options", ref+"^{commit}")
	if ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("--base %s is no commit of this repository: %w; in a shallow clone fetch it first", ref, err)}
	}
	temp, err := os.MkdirTemp("", "wsrig-base-")
	if err != nil {
		return nil, fmt.Errorf("%w: folder for the tree of %s: %w", errTestbed, ref, err)
	}
	c := &checkout{temp: temp, dir: filepath.Join(temp, "tree"), commit: commit}
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(temp, "index")}
	if _, err = git(ctx, r.top, index, "read-tree", commit); err == nil {
		_, err = git(ctx, r.top, index, "checkout-index", "--all", "--prefix="+c.dir+string(filepath.Separator))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: check %s out: %w", errTestbed, ref, err), c.remove())
	}
	return c, nil
}

// tree is the working tree itself.
func (r *repository) tree() *checkout { return &checkout{dir: r.top} }

func (c *checkout) remove() error {
	if err := os.RemoveAll(c.temp); err != nil {
		return fmt.Errorf("remove the tree of the base: %w", err)
	}
	return nil
}

// find gives the file of a configuration in the tree: DRIVER/VARIANT.* of a shipped
// variant, the same path below the top for a file of one's own. One that is not there
// is fs.ErrNotExist.
func (c *checkout) find(r *repository) func(scenario.ProxyRef) (string, error) {
	return func(ref scenario.ProxyRef) (string, error) {
		if ref.File != "" {
			rel, err := r.relative(ref.FilePath())
			if err != nil {
				return "", err
			}
			return regular(c.dir, rel)
		}
		found, err := filepath.Glob(filepath.Join(c.dir, ref.Driver, ref.Variant+".*"))
		if err != nil {
			return "", err
		}
		for _, path := range found {
			if ext := filepath.Ext(path); ext == ".cfg" || ext == ".conf" {
				return path, nil
			}
		}
		return "", &fs.PathError{Op: "find", Path: ref.Driver + "/" + ref.Variant + ".*", Err: fs.ErrNotExist}
	}
}

// relative is a path below the top of the repository.
func (r *repository) relative(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(r.top, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is not in the repository, so --base has none; use a file below its top", path)
	}
	return rel, nil
}

func regular(dir, rel string) (string, error) {
	path := filepath.Join(dir, rel)
	info, err := os.Stat(path)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			at.Path = rel // where the tree is means nothing to anybody
		}
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", rel)
	}
	return path, nil
}

// buildWsrig builds the program of a tree, whose first command is chatnode.
func buildWsrig(ctx context.Context, tree, binary string) error {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "./cmd/wsrig")
	cmd.Dir, cmd.Env, cmd.WaitDelay = tree, append(os.Environ(), "CGO_ENABLED=0"), time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/wsrig: %w\n%s", errors.Join(err, context.Cause(ctx)), bytes.TrimSpace(out))
	}
	return nil
}
