package testbed

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// dockerImages are the default images of the docker runtime, by a short name, with
// the program that each is used for. To change a version, change a line.
var dockerImages = map[string]struct{ program, image string }{
	"haproxy": {"haproxy", "haproxy:3.2"},
	"nginx":   {"nginx", "nginx:1.28"},
	"redis":   {"redis-server", "redis:7.4"},
}

const (
	// pullTimeout bounds the download of one image.
	pullTimeout = 10 * time.Minute
	// buildTimeout bounds the build of the own image, which only copies a file.
	buildTimeout = 2 * time.Minute
	// selfRepo names the images of this program; the tag is its hash.
	selfRepo = "wsrig-self"
	// selfPath is where the program is in its image.
	selfPath = "/wsrig"
)

// ImageNames lists the short names of the images that can be replaced.
func ImageNames() []string { return slices.Sorted(maps.Keys(dockerImages)) }

// DefaultImages are the images that are run where none is named, by short name.
func DefaultImages() map[string]string {
	images := map[string]string{}
	for name, d := range dockerImages {
		images[name] = d.image
	}
	return images
}

// imageTable is the images by program, with some replaced by name.
func imageTable(replace map[string]string) (map[string]string, error) {
	for name, image := range replace {
		if _, ok := dockerImages[name]; !ok || image == "" {
			return nil, fmt.Errorf("%s=%s names no image of the testbed", name, image)
		}
	}
	table := make(map[string]string, len(dockerImages))
	for name, d := range dockerImages {
		table[d.program] = d.image
		if image := replace[name]; image != "" {
			table[d.program] = image
		}
	}
	return table, nil
}

// image is the image that runs a unit.
func (d *Docker) image(ctx context.Context, u Unit) (string, error) {
	if u.Binary == Self {
		return d.ownImage(ctx)
	}
	if u.Image != "" {
		return u.Image, nil
	}
	image, ok := d.images[u.Binary]
	if !ok {
		return "", &MissingBinaryError{Unit: u.Name, Binary: u.Binary, Err: errors.New("no image has it")}
	}
	return image, nil
}

// Provide sees that the images of these units are on this machine: it pulls what is
// missing, within 10 min each, and builds the own image. It tells on out what takes a
// while. Every error is a *DockerError.
func (d *Docker) Provide(ctx context.Context, units []Unit, out io.Writer) error {
	for _, u := range units {
		image, err := d.image(ctx, u)
		if err != nil {
			return err
		}
		if u.Binary == Self {
			continue // built
		}
		there, err := d.hasImage(ctx, image)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		fmt.Fprintf(out, "pulling the image %s\n", image)
		if err := d.pull(ctx, image); err != nil {
			return &DockerError{"pull " + image, err, pullFix(u.Binary, err)}
		}
	}
	return nil
}

func (d *Docker) hasImage(ctx context.Context, image string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	_, err := d.api.ImageInspect(ctx, image)
	switch {
	case err == nil:
		return true, nil
	case errdefs.IsNotFound(err):
		return false, nil
	case errdefs.IsInvalidArgument(err):
		return false, &DockerError{"image " + image, err, "write it as NAME:TAG, for example haproxy:3.2"}
	}
	return false, &DockerError{"look for the image " + image, err, "see whether docker images answers"}
}

// pull downloads an image. The library's own pull tries again for a quarter of an hour
// where there is no network, and takes an error within the stream for success.
func (d *Docker) pull(ctx context.Context, image string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pullTimeout, fmt.Errorf("it was not done within %s", pullTimeout))
	defer cancel()
	var options client.ImagePullOptions
	if _, auth, err := testcontainers.DockerImageAuth(ctx, image); err == nil {
		encoded, err := json.Marshal(auth)
		if err != nil {
			return err
		}
		options.RegistryAuth = base64.URLEncoding.EncodeToString(encoded)
	} // without credentials it is pulled as anybody may
	stream, err := d.api.ImagePull(ctx, image, options)
	if err != nil {
		return err
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Error != "" {
			return errors.New(line.Error)
		}
	}
	return lines.Err()
}

// pullFix is what a person can do about an image of this program that cannot be pulled.
func pullFix(program string, err error) string {
	name := program
	for short, d := range dockerImages {
		if d.program == program {
			name = short
		}
	}
	fix := fmt.Sprintf("load it with docker load, or name one that is here with --image %s=IMAGE (docker images lists them)", name)
	if errdefs.IsNotFound(err) || strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "manifest unknown") {
		return "there is no such image: correct its name, or " + fix
	}
	return "see whether the registry can be reached, or " + fix
}

// ownImage is the image with nothing but this program, named by its hash, so that it
// is built once for each build of the program.
func (d *Docker) ownImage(ctx context.Context) (string, error) {
	d.selfOnce.Do(func() { d.selfImage, d.selfErr = d.buildSelf(context.WithoutCancel(ctx)) })
	return d.selfImage, d.selfErr
}

func (d *Docker) buildSelf(ctx context.Context) (string, error) {
	fail := func(err error, fix string) (string, error) {
		return "", &DockerError{"image of " + d.self, err, fix}
	}
	program, err := os.ReadFile(d.self)
	if err != nil {
		return fail(err, "make it readable")
	}
	if err := mustBeStatic(program); err != nil {
		return fail(err, "build it with: make build")
	}
	tag := hashTag(program)
	image := selfRepo + ":" + tag
	if there, err := d.hasImage(ctx, image); there || err != nil {
		return image, err
	}
	archive, err := buildContext(program)
	if err != nil {
		return fail(err, "make room in memory")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, buildTimeout, fmt.Errorf("it was not built within %s", buildTimeout))
	defer cancel()
	_, err = d.provider.BuildImage(ctx, &testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		ContextArchive: bytes.NewReader(archive), Repo: selfRepo, Tag: tag, KeepImage: true,
		BuildOptionsModifier: func(o *client.ImageBuildOptions) { o.Labels = map[string]string{labelSelf: "true"} },
	}})
	if err != nil {
		return fail(err, "see whether docker build works, and whether the disk is full")
	}
	return image, nil
}

// hashTag is the tag of the image of a program.
func hashTag(program []byte) string {
	sum := sha256.Sum256(program)
	return hex.EncodeToString(sum[:6])
}

// selfTag is the tag of the image of the program that stands for Self.
func (d *Docker) selfTag() (string, error) {
	program, err := os.ReadFile(d.self)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", d.self, err)
	}
	return hashTag(program), nil
}

// mustBeStatic refuses a program that the empty image cannot run: one that is not for
// Linux, or that asks for a dynamic linker (elf(5), PT_INTERP).
func mustBeStatic(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("it is no Linux program, so that no container can run it: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked dynamically, and its image has no libraries")
		}
	}
	return nil
}

// buildContext is the tar archive that an image of the program is built from.
func buildContext(program []byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{
		{"Dockerfile", 0o644, []byte("FROM scratch\nCOPY wsrig " + selfPath + "\n")},
		{"wsrig", 0o755, program},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// Describe names the image that a unit would run, with the start of its id, which
// tells apart what one tag stands for at different times.
func (d *Docker) Describe(ctx context.Context, u Unit) (string, error) {
	image, err := d.image(ctx, u)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	got, err := d.api.ImageInspect(ctx, image)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", image, err)
	}
	const shown = 12
	id := strings.TrimPrefix(got.ID, "sha256:")
	return image + " (" + id[:min(shown, len(id))] + ")", nil
}
