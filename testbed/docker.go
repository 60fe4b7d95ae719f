package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// Docker is a connection to this machine's Docker daemon, which all runtimes of a run
// share. It is safe for concurrent use.
type Docker struct {
	provider *testcontainers.DockerProvider
	api      client.APIClient
	images   map[string]string // by program; see dockerImages
	self     string            // path of the program that stands for Self
	user     string            // UID:GID of all units
	userns   string            // user namespace mode of all units
	owner    Owner

	selfOnce  sync.Once // the image of Self is named, and built if it must be
	selfImage string
	selfErr   error
}

// DockerOptions say what containers are made of.
type DockerOptions struct {
	Self   string            // program that stands for Self; "" is this very executable
	Images map[string]string // by name, as in ImageNames, instead of the defaults
}

const (
	// connectTimeout is how long the daemon may take to say who it is.
	connectTimeout = 10 * time.Second
	// apiTimeout is how long the daemon may take for one thing on a busy machine.
	apiTimeout = 30 * time.Second
)

// Labels of everything that the docker runtime makes.
const (
	labelRun   = "wsrig.run"   // which testbed it belongs to
	labelUnit  = "wsrig.unit"  // which unit it is
	labelOwner = "wsrig.owner" // which process made it; see Owner
	labelSelf  = "wsrig.self"  // an image of this program
)

// DockerError says that Docker cannot be used, and what to do.
type DockerError struct {
	What string // what was tried
	Err  error
	Fix  string
}

// Error names the fix last.
func (e *DockerError) Error() string {
	return fmt.Sprintf("docker: %s: %v; %s", e.What, e.Err, e.Fix)
}

// Unwrap gives the cause.
func (e *DockerError) Unwrap() error { return e.Err }

// ConnectDocker connects to the daemon that DOCKER_HOST or the docker command's
// context names, within 10 s. Every error is a *DockerError.
func ConnectDocker(ctx context.Context, o DockerOptions) (*Docker, error) {
	d := &Docker{user: fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())}
	var err error
	if d.images, err = imageTable(o.Images); err != nil {
		return nil, &DockerError{"image names", err, "use NAME=IMAGE with NAME one of " + strings.Join(ImageNames(), ", ")}
	}
	if d.self, err = absSelf(o.Self); err != nil {
		return nil, &DockerError{"own image", err, "run wsrig by its path"}
	}
	if d.owner, err = thisProcess(); err != nil {
		return nil, &DockerError{"labels", err, "mount /proc"}
	}
	// testcontainers' own clean-up after a dead process is one more image to pull and one
	// more container to run in every measurement. The labels and "wsrig down" do it here.
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") // never fails for this name
	tclog.SetDefault(tclog.NewNoopLogger())           // it prints a banner otherwise
	if err := answers(ctx); err != nil {
		return nil, connectError(err)
	}
	if d.provider, err = newProvider(ctx); err != nil {
		return nil, connectError(err)
	}
	d.api = d.provider.Client()
	if err := d.examine(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// answers asks the daemon that DOCKER_HOST names, if it is set: the library would go on
// to another one without a word.
func answers(ctx context.Context) (err error) {
	if os.Getenv("DOCKER_HOST") == "" {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no answer within %s", connectTimeout))
	defer cancel()
	named, err := client.New(client.FromEnv)
	if err != nil {
		return fmt.Errorf("DOCKER_HOST=%s: %w", os.Getenv("DOCKER_HOST"), err)
	}
	defer func() { err = errors.Join(err, named.Close()) }()
	if _, err := named.Info(ctx, client.InfoOptions{}); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("at %s: %w", named.DaemonHost(), err)
	}
	return nil
}

// newProvider finds the daemon. The library does so without a deadline of its own.
func newProvider(ctx context.Context) (*testcontainers.DockerProvider, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no answer within %s", connectTimeout))
	defer cancel()
	type answer struct {
		provider *testcontainers.DockerProvider
		err      error
	}
	found := make(chan answer, 1)
	go func() {
		p, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(tclog.NewNoopLogger()))
		found <- answer{p, err}
	}()
	select {
	case a := <-found:
		return a.provider, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// leastAPI is the oldest API that does all the runtime needs: Docker 20.10's, whose
// statistics come at once and not after a second.
const leastAPI = "1.41"

// examine asks what kind of daemon it is.
func (d *Docker) examine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	info, err := d.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return connectError(err)
	}
	if info.Info.OSType != "linux" {
		return &DockerError{"daemon", fmt.Errorf("it runs %s containers", info.Info.OSType), "switch it to Linux containers"}
	}
	if v := d.api.ClientVersion(); olderAPI(v, leastAPI) {
		return &DockerError{"daemon", fmt.Errorf("version %s speaks API %s", info.Info.ServerVersion, v), "install Docker 20.10 or newer, or use --runtime process"}
	}
	for _, option := range info.Info.SecurityOptions {
		switch {
		case strings.Contains(option, "name=rootless"):
			d.user = "0:0" // which is the daemon's own user outside
		case strings.Contains(option, "name=userns"):
			d.userns = "host" // files in a unit's directory are this user's
		}
	}
	return nil
}

// olderAPI compares versions such as 1.41.
func olderAPI(a, b string) bool {
	parse := func(v string) (n [2]int) {
		fmt.Sscanf(v, "%d.%d", &n[0], &n[1]) // what cannot be read is 0, so old
		return n
	}
	x, y := parse(a), parse(b)
	return slices.Compare(x[:], y[:]) < 0
}

// connectError finds the fix for a daemon that cannot be talked to.
func connectError(err error) error {
	fix := "start it (service docker start, or systemctl start docker), or use --runtime process"
	text, cause := strings.ToLower(err.Error()), connectCause(err)
	_, missing := exec.LookPath("docker")
	switch {
	case errors.Is(cause, errNoDaemon) && missing != nil:
		fix = "install Docker 20.10 or newer (apt-get install docker.io), or use --runtime process"
	case errors.Is(err, os.ErrPermission) || strings.Contains(text, "permission denied"):
		fix = "let this user use it (sudo usermod -aG docker $USER, then log in again), or run as root, or use --runtime process"
	case strings.Contains(text, "minimum supported api version") || strings.Contains(text, "is too new"):
		fix = "install Docker 20.10 or newer, or use --runtime process"
	case strings.Contains(text, "docker_host") || strings.Contains(text, "unable to parse docker host"):
		fix = "correct or unset DOCKER_HOST"
	case strings.Contains(text, "no answer within"):
		fix = "see whether docker info answers; restart the daemon if not"
	}
	return &DockerError{"connect to the daemon", cause, fix}
}

// errNoDaemon says that nothing is where a daemon is looked for.
var errNoDaemon = fmt.Errorf("there is none: DOCKER_HOST is not set, and nothing is at %s", client.DefaultDockerHost)

// connectCause is err on one line, without what the library says last whatever went
// wrong before: that there is no daemon of the user's own either.
func connectCause(err error) error {
	const noOwn = "rootless Docker not found"
	text := err.Error()
	if text == noOwn {
		return errNoDaemon
	}
	if rest, ok := strings.CutSuffix(text, "\n"+noOwn); ok {
		return errors.New(strings.ReplaceAll(rest, "\n", "; "))
	}
	return err
}

// Close ends the connection. What runtimes made is theirs to remove.
func (d *Docker) Close() error { return d.provider.Close() }

// labels mark what belongs to a testbed.
func (d *Docker) labels(run, unit string) map[string]string {
	return map[string]string{labelRun: run, labelUnit: unit, labelOwner: d.owner.String()}
}

// subnets are for the private networks of testbeds: 198.18.0.0/15 is set aside for
// tests of network devices (RFC 2544, section C.2.2), so no network that anybody is
// in has these addresses.
var subnets = netip.MustParsePrefix("198.18.0.0/15")

// subnet is the i-th /24 of subnets, round and round.
func subnet(i int) netip.Prefix {
	n := i % 512
	base := subnets.Addr().As4()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{base[0], base[1] + byte(n/256), byte(n % 256), 0}), 24)
}
