package wsrig_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// workflow is what the tests look at of a GitHub Actions workflow.
type workflow struct {
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Timeout int `yaml:"timeout-minutes"`
		Steps   []struct {
			Uses string            `yaml:"uses"`
			Run  string            `yaml:"run"`
			With map[string]any    `yaml:"with"`
			Env  map[string]string `yaml:"env"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@(v[0-9]+\.[0-9]+\.[0-9]+|[0-9a-f]{40})$`)

// The workflow that people copy has to work: each make target, subcommand and flag in
// it exists, and the actions are pinned.
func TestWorkflowsNameWhatThereIs(t *testing.T) {
	files, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no workflow: %v", err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	binary := buildWsrig(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(w.On) == 0 || len(w.Jobs) == 0 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: no trigger, no job, or more permissions than reading", file)
		}
		for name, job := range w.Jobs {
			if job.Timeout == 0 || len(job.Steps) == 0 {
				t.Errorf("%s: the job %s has no time limit or no step", file, name)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && step.Uses != "./" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s: %s is not pinned to a version", file, step.Uses)
				}
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: %q puts an expression into the shell; hand it over in env", file, step.Run)
				}
				for line := range strings.Lines(step.Run) {
					checkCommand(t, file, line, string(makefile), binary)
				}
			}
		}
	}
}

// checkCommand checks one line of a shell script.
func checkCommand(t *testing.T, file, line, makefile, binary string) {
	t.Helper()
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	switch words[0] {
	case "make":
		if slices.Contains(words, "regress") {
			t.Errorf("%s: %q ends with 2 whatever the exit code was; use bin/wsrig regress, where regression and inconclusive stay apart", file, line)
		}
		for _, word := range words[1:] {
			if name, _, ok := strings.Cut(word, "="); ok {
				if !strings.Contains(makefile, "$("+name+")") {
					t.Errorf("%s: %q sets %s, which the Makefile does not use", file, line, name)
				}
			} else if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(word) + `:`).MatchString(makefile) {
				t.Errorf("%s: %q: the Makefile has no target %s", file, line, word)
			}
		}
	case "bin/wsrig":
		help, err := exec.Command(binary, words[1], "--help").CombinedOutput()
		if err != nil || !strings.Contains(string(help), "\n  wsrig "+words[1]+" ") {
			t.Errorf("%s: there is no wsrig %s (%v)", file, words[1], err)
			return
		}
		for _, word := range words[2:] {
			flag, _, _ := strings.Cut(word, "=")
			if strings.HasPrefix(word, "--") && !slices.Contains(strings.Fields(string(help)), flag) {
				t.Errorf("%s: wsrig %s has no flag %s", file, words[1], flag)
			}
		}
		if i := slices.Index(words, "--format"); i >= 0 {
			checkFormats(t, file, words[i+1], string(help))
		}
	case "cat":
	default:
		t.Errorf("%s: %q is a command that this test does not know", file, line)
	}
}

// checkFormats checks names of formats against the list in the help of wsrig report.
func checkFormats(t *testing.T, file, list, help string) {
	t.Helper()
	for name := range strings.SplitSeq(list, ",") {
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("%s: wsrig report has no format %s", file, name)
		}
	}
}
