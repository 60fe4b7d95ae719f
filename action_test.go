package wsrig_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// action is what the runner of GitHub reads in action.yml. Decoding is strict, so that a
// misspelt key does not go unnoticed until somebody else's CI runs.
type action struct {
	Name        string
	Description string
	Inputs      map[string]struct{ Description, Default string }
	Outputs     map[string]struct{ Description, Value string }
	Runs        struct {
		Using string
		Steps []step
	}
}

type step struct {
	Name, ID, If, Uses, Shell, Run string
	With                           map[string]any
	Env                            map[string]string
}

type exampleWorkflow struct {
	Name        string
	On          map[string]any
	Permissions map[string]string
	Jobs        map[string]struct {
		RunsOn  string `yaml:"runs-on"`
		Timeout int    `yaml:"timeout-minutes"`
		Steps   []step
	}
}

func decodeYAML(t *testing.T, file string, into any) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, into, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return string(text)
}

func readAction(t *testing.T) (action, string) {
	t.Helper()
	var a action
	text := decodeYAML(t, "action.yml", &a)
	return a, text
}

func TestTheActionIsWhole(t *testing.T) {
	a, text := readAction(t)
	if a.Name == "" || a.Description == "" || a.Runs.Using != "composite" || len(a.Runs.Steps) == 0 {
		t.Errorf("name %q, description %q, using %q, %d steps", a.Name, a.Description, a.Runs.Using, len(a.Runs.Steps))
	}
	used := regexp.MustCompile(`\binputs\.([\w-]+)`).FindAllStringSubmatch(text, -1)
	for _, m := range used {
		if _, ok := a.Inputs[m[1]]; !ok {
			t.Errorf("the input %s is used and not declared", m[1])
		}
	}
	for name, in := range a.Inputs {
		if in.Description == "" {
			t.Errorf("the input %s is not described", name)
		}
		if !slices.ContainsFunc(used, func(m []string) bool { return m[1] == name }) {
			t.Errorf("the input %s is declared and not used", name)
		}
	}
	ids := map[string]bool{}
	for i, s := range a.Runs.Steps {
		ids[s.ID] = true
		switch {
		case (s.Run == "") == (s.Uses == ""):
			t.Errorf("step %d has both or neither of run and uses", i)
		case s.Run != "" && s.Shell == "":
			t.Errorf("step %d runs something and names no shell, which a composite action must", i)
		case s.Uses != "" && !pinned.MatchString(s.Uses):
			t.Errorf("step %d uses %s, which is no pinned version", i, s.Uses)
		case strings.Contains(s.Run, "${{"):
			t.Errorf("step %d puts an expression into a script, which makes code of what a user wrote: %s", i, s.Run)
		}
	}
	step := regexp.MustCompile(`^\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}$`)
	script, err := os.ReadFile(".ci/action")
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range a.Outputs {
		m := step.FindStringSubmatch(out.Value)
		if m == nil || !ids[m[1]] || !strings.Contains(string(script), "'"+m[2]+"=%s") {
			t.Errorf("the output %s comes from %q, which no step writes", name, out.Value)
		}
	}
	for _, s := range a.Runs.Steps {
		for name := range s.Env {
			if !strings.Contains(string(script), "$"+name) && !strings.Contains(string(script), "${"+name) {
				t.Errorf("the script does not read %s", name)
			}
		}
	}
}

func TestTheExampleWorkflowFitsTheAction(t *testing.T) {
	a, _ := readAction(t)
	const file = ".github/workflows/example.yml"
	var w exampleWorkflow
	text := decodeYAML(t, file, &w)
	if len(w.Jobs) == 0 || len(w.On) == 0 {
		t.Fatalf("%s has %d jobs, %d triggers", file, len(w.Jobs), len(w.On))
	}
	own := 0
	for name, job := range w.Jobs {
		if job.RunsOn == "" || job.Timeout == 0 {
			t.Errorf("job %s: runs-on %q, timeout-minutes %d", name, job.RunsOn, job.Timeout)
		}
		for i, s := range job.Steps {
			if s.Uses != "./" {
				if s.Uses != "" && !pinned.MatchString(s.Uses) {
					t.Errorf("job %s, step %d uses %s, which is no pinned version", name, i, s.Uses)
				}
				continue
			}
			own++
			for in := range s.With {
				if _, ok := a.Inputs[in]; !ok {
					t.Errorf("job %s, step %d gives the input %s, which the action does not have", name, i, in)
				}
			}
			if scenario, ok := s.With["scenario"].(string); ok {
				if _, err := os.Stat(filepath.Join("scenarios", scenario+".yaml")); err != nil {
					t.Errorf("job %s, step %d: %v", name, i, err)
				}
			}
			proxies, _ := s.With["proxy"].(string)
			for proxy := range strings.FieldsSeq(proxies) {
				driver, variant, _ := strings.Cut(proxy, ":")
				if found, err := filepath.Glob(filepath.Join(driver, variant+".*")); err != nil || len(found) != 1 {
					t.Errorf("job %s, step %d: there is no proxy %s", name, i, proxy)
				}
			}
		}
	}
	if own == 0 {
		t.Error("no step uses the action")
	}
	for _, m := range regexp.MustCompile(`steps\.\w+\.outputs\.(\w+)`).FindAllStringSubmatch(text, -1) {
		if _, ok := a.Outputs[m[1]]; !ok {
			t.Errorf("the workflow uses the output %s, which the action does not have", m[1])
		}
	}
}

// TestTheActionRuns runs the action's script as the runner would: a scenario that
// passes, and one with a mistake, each with its outputs and its exit code.
func TestTheActionRuns(t *testing.T) {
	wsrig := buildWsrig(t)
	for _, c := range []struct {
		name    string
		env     []string
		verdict string
		codes   []int
		report  bool
	}{
		// A machine that is busy with other tests may make a run inconclusive.
		{"a scenario", []string{"SCENARIO=smoke", "PROXY=direct", "TRIALS=1", "SET=clients=20"}, "pass|inconclusive", []int{0, 3}, true},
		{"two proxies, one unknown", []string{"SCENARIO=smoke", "PROXY=direct,\n haproxy:nothing"}, "error", []int{2}, false},
		{"a name that is no code", []string{"SCENARIO=$(touch hacked)`touch hacked`;touch hacked"}, "error", []int{2}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			output, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary")
			script, err := filepath.Abs(".ci/action")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "WSRIG="+wsrig, "RUNNER_TEMP="+dir, "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+summary)
			cmd.Env = append(cmd.Env, c.env...)
			printed, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); !slices.Contains(c.codes, code) {
				t.Fatalf("exit code %d, want one of %v; it printed\n%s", code, c.codes, printed)
			}
			outputs := mustRead(t, output)
			if !regexp.MustCompile(`(?m)^verdict=(` + c.verdict + `)$`).MatchString(outputs) {
				t.Errorf("the outputs are\n%s, want the verdict %s", outputs, c.verdict)
			}
			report := regexp.MustCompile(`(?m)^report=(.*)$`).FindStringSubmatch(outputs)
			if !c.report {
				if report == nil || report[1] != "" {
					t.Errorf("the report is %q, want none", report)
				}
				if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
					t.Error("an input was run as code")
				}
				return
			}
			mustRead(t, filepath.Join(report[1], "run.json"))
			if text := mustRead(t, summary); !strings.Contains(text, "smoke") {
				t.Errorf("the summary does not name the scenario:\n%s", text)
			}
		})
	}
}

func mustRead(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// buildWsrig builds the command for a test.
func buildWsrig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wsrig")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./cmd/wsrig")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}
