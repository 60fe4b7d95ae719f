package sbom_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"wsrig/internal/sbom"
)

// list is the document as another reader would declare it.
type list struct {
	BOMFormat, SpecVersion string
	Metadata               struct{ Component part }
	Components             []part
	Dependencies           []struct {
		Ref       string
		DependsOn []string
	}
}

type part struct {
	Type, Name, Version, PURL string
	Ref                       string `json:"bom-ref"`
	Hashes                    []struct{ Alg, Content string }
}

// TestTheListHasEveryModuleOfTheBinary takes the test's own binary, whose modules the
// runtime knows too.
func TestTheListHasEveryModuleOfTheBinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := sbom.Of(self, "v1.2.3+x")
	if err != nil {
		t.Fatal(err)
	}
	var got list
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if got.BOMFormat != "CycloneDX" || got.SpecVersion != "1.6" {
		t.Errorf("format %q %q", got.BOMFormat, got.SpecVersion)
	}
	program := got.Metadata.Component
	if program.Type != "application" || program.PURL != "pkg:golang/wsrig@v1.2.3+x" {
		t.Errorf("the program is %+v", program)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if len(program.Hashes) != 1 || program.Hashes[0].Alg != "SHA-256" || program.Hashes[0].Content != hex.EncodeToString(sum[:]) {
		t.Errorf("its hashes are %+v, want one SHA-256, %x", program.Hashes, sum)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test binary has no build info")
	}
	want := []string{"pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, d := range info.Deps {
		want = append(want, "pkg:golang/"+d.Path+"@"+d.Version)
	}
	var purls []string
	for _, c := range got.Components {
		if c.Type != "library" || c.Ref != c.PURL || c.Version == "" {
			t.Errorf("component %+v", c)
		}
		purls = append(purls, c.PURL)
	}
	slices.Sort(want)
	if sorted := slices.Sorted(slices.Values(purls)); !slices.Equal(sorted, want) {
		t.Errorf("components %q, want %q", sorted, want)
	}
	if len(got.Dependencies) != 1 || got.Dependencies[0].Ref != program.Ref || !slices.Equal(got.Dependencies[0].DependsOn, purls) {
		t.Errorf("dependencies %+v", got.Dependencies)
	}
	again, err := sbom.Of(self, "v1.2.3+x")
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("a second list differs (%v)", err)
	}
}

func TestWhatIsNoGoBinaryIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("no binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: "only binaries that go build has made", file + "x": "no such file"} {
		if _, err := sbom.Of(path, ""); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q with the path", path, err, want)
		}
	}
}
