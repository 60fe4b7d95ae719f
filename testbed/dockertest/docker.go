// Package dockertest gives tests the real Docker daemon, a static build of a program
// and images: the official ones where they are on this machine, else stand-ins that
// are built from the system's own packages.
package dockertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wsrig/testbed"
)

// buildTimeout is how long a program or the stand-in images may take to be built.
const buildTimeout = 8 * time.Minute

// Connect returns a connection to the daemon with the images of Images, where self
// stands for this program.
func Connect(t *testing.T, self string) *testbed.Docker {
	t.Helper()
	images := Images(t)
	d, err := testbed.ConnectDocker(t.Context(), testbed.DockerOptions{Self: self, Images: images})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Need skips a test where there is no Docker. Where it is installed, a daemon that
// does not answer fails the test in CI.
func Need(t *testing.T) {
	t.Helper()
	err := daemon()
	if err == nil {
		return
	}
	_, absent := exec.LookPath("docker")
	if os.Getenv("CI") != "" && absent == nil {
		t.Fatalf("Docker is installed and cannot be used: %v", err)
	}
	t.Skipf("needs Docker: %v", err)
}

// daemon asks the daemon once for all tests.
var daemon = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := testbed.ConnectDocker(ctx, testbed.DockerOptions{})
	if err != nil {
		return err
	}
	return d.Close()
})

// Images are the images that tests run, by their short names.
func Images(t *testing.T) map[string]string {
	t.Helper()
	Need(t)
	images, err := standIns()
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// standIns sees that there is an image of each name.
var standIns = sync.OnceValues(func() (map[string]string, error) {
	images := testbed.DefaultImages()
	if all := slices.Collect(maps.Values(images)); slices.IndexFunc(all, absent) < 0 {
		return images, nil
	}
	for _, name := range testbed.ImageNames() {
		images[name] = "wsrig-standin/" + name + ":latest"
	}
	script := filepath.Join(folder(), "..", "standin", "build.sh")
	if out, err := run(script); err != nil {
		return nil, fmt.Errorf("stand-in images: %w\n%s", err, out)
	}
	return images, nil
})

// absent tells whether an image is not on this machine.
func absent(image string) bool {
	_, err := run("docker", "image", "inspect", image)
	return err != nil
}

// folder is where this file is.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), buildTimeout, errors.New("it took too long"))
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return strings.TrimSpace(string(out)), err
}

// Build makes a static program, as make build does, in a directory that remains until
// RemoveBuilt. args are those of go but for -o: "build ./cmd/wsrig" or "test -c .".
func Build(t *testing.T, args ...string) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	key := strings.Join(args, " ")
	if path, ok := built[key]; ok {
		return path
	}
	dir, err := os.MkdirTemp("", "static-")
	if err != nil {
		t.Fatal(err)
	}
	dirs = append(dirs, dir)
	path := filepath.Join(dir, "wsrig")
	verb, rest := args[:len(args)-1], args[len(args)-1]
	if out, err := run("go", append(append([]string{}, verb...), "-o", path, rest)...); err != nil {
		t.Fatalf("go %s: %v\n%s", key, err, out)
	}
	built[key] = path
	return path
}

var (
	mu    sync.Mutex
	built = map[string]string{}
	dirs  []string
)

// RemoveBuilt removes what Build made. A TestMain calls it last.
func RemoveBuilt() error {
	mu.Lock()
	defer mu.Unlock()
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	dirs, built = nil, map[string]string{}
	return errors.Join(errs...)
}
