package wsrig_test

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestAReleaseIsReproducible makes one target of a release twice, from two folders:
// the bytes are the same, the binary is static and knows its version, and the files
// beside it are about it.
func TestAReleaseIsReproducible(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the binary that is looked at is one for Linux")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Fatal("make is not installed")
	}
	const version = "v1.2.3-test"
	target := "linux/" + runtime.GOARCH
	name := "wsrig-" + version + "-linux-" + runtime.GOARCH
	var made [2]map[string][]byte
	for i, source := range []string{".", copySource(t)} {
		dist := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "make", "release", "DIST="+dist, "VERSION="+version, "RELEASE_TARGETS="+target)
		cmd.Dir = source
		// What a person has set for other builds must not get in.
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOAMD64=v2")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make release in %s: %v\n%s", source, err, out)
		}
		made[i] = readFolder(t, dist)
	}
	for _, file := range []string{name, name + ".cdx.json", "SHA256SUMS"} {
		a, b := made[0][file], made[1][file]
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s: %d and %d bytes, want the same, and some", file, len(a), len(b))
		}
	}
	if t.Failed() {
		return
	}
	checkBinary(t, made[0][name], version)
	checkSums(t, made[0])
	var list struct {
		Metadata struct {
			Component struct {
				Version string
				Hashes  []struct{ Content string }
			}
		}
		Components []struct{ PURL string }
	}
	if err := json.Unmarshal(made[0][name+".cdx.json"], &list); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(made[0][name])
	if c := list.Metadata.Component; c.Version != version || len(c.Hashes) != 1 || c.Hashes[0].Content != hex.EncodeToString(sum[:]) {
		t.Errorf("the list is about %+v, want version %s and the hash of the binary", c, version)
	}
	if text := string(made[0][name+".cdx.json"]); !strings.Contains(text, "pkg:golang/github.com/gorilla/websocket@v") {
		t.Error("the list does not have gorilla/websocket, which is in the binary")
	}
}

// copySource copies what git knows of the working tree to another folder.
func copySource(t *testing.T) string {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	to := filepath.Join(t.TempDir(), "elsewhere")
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		dest := filepath.Join(to, file)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dest, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func readFolder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		files[e.Name()] = []byte(mustRead(t, filepath.Join(dir, e.Name())))
	}
	return files
}

func checkBinary(t *testing.T, binary []byte, version string) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a segment %s, so it is not static", p.Type)
		}
	}
	file := filepath.Join(t.TempDir(), "wsrig")
	if err := os.WriteFile(file, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), file, "--version").Output()
	if err != nil || !strings.Contains(string(out), version) {
		t.Errorf("--version prints %q, %v; want %s", out, err, version)
	}
}

// checkSums compares SHA256SUMS with the files, all of them.
func checkSums(t *testing.T, files map[string][]byte) {
	t.Helper()
	listed := map[string]bool{}
	for line := range strings.Lines(string(files["SHA256SUMS"])) {
		want, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[file] = true
		if sum := sha256.Sum256(files[file]); hex.EncodeToString(sum[:]) != want {
			t.Errorf("the sum of %s is %x, SHA256SUMS has %s", file, sum, want)
		}
	}
	for file := range files {
		if file != "SHA256SUMS" && !listed[file] {
			t.Errorf("SHA256SUMS lacks %s", file)
		}
	}
}
