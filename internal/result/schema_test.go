package result

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write run.schema.json again")

// generatedSchema makes the schema from the types and their comments.
func generatedSchema(t *testing.T) []byte {
	t.Helper()
	r := generator.Reflector{}
	if err := r.AddGoComments("wsrig/internal/result", "./", generator.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for name, text := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	s := r.Reflect(&Run{})
	s.ID = generator.ID(fmt.Sprintf("urn:wsrig:run:%d", Schema))
	s.Title = "run.json of wsrig"
	run := s.Definitions["Run"]
	version, ok := run.Properties.Get("schema")
	if !ok {
		t.Fatal("a run has no schema")
	}
	version.Const = Schema
	pointersTakeNull(t, s.Definitions, reflect.TypeFor[Run](), map[reflect.Type]bool{})
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// pointersTakeNull lets null stand for the nil of a pointer that is always written:
// the encoder writes it, and the generator does not know. A map or list of which nil
// means something has the tag jsonschema:"nullable" instead.
func pointersTakeNull(t *testing.T, defs generator.Definitions, typ reflect.Type, done map[reflect.Type]bool) {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, typ.Kind()) {
		typ = typ.Elem()
	}
	def := defs[typ.Name()]
	if typ.Kind() != reflect.Struct || def == nil || done[typ] {
		return
	}
	done[typ] = true
	for i := range typ.NumField() {
		field := typ.Field(i)
		pointersTakeNull(t, defs, field.Type, done)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type.Kind() != reflect.Pointer || strings.Contains(options, "omitempty") {
			continue
		}
		p, ok := def.Properties.Get(name)
		if !ok {
			t.Fatalf("%s has no %q", typ.Name(), name)
		}
		def.Properties.Set(name, &generator.Schema{OneOf: []*generator.Schema{p, {Type: "null"}}})
	}
}

func TestSchemaIsThatOfTheTypes(t *testing.T) {
	got := generatedSchema(t)
	if *update {
		if err := os.WriteFile("run.schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		runSchema = got // of the tests that follow
		return
	}
	if !bytes.Equal(got, JSONSchema()) {
		t.Error("run.schema.json is not that of the types; write it again with make golden, and read the diff: " +
			"a field that is gone or means something else takes a new version and a migration, see codec.go")
	}
}

// Every field says what it holds, in its comment or by its name being that of its type.
func TestSchemaDescribesEveryType(t *testing.T) {
	var s struct {
		Defs map[string]struct {
			Description string `json:"description"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(JSONSchema(), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Defs) < 10 {
		t.Errorf("the schema has %d types", len(s.Defs))
	}
	for name, def := range s.Defs {
		if def.Description == "" {
			t.Errorf("%s has no description: give the Go type a comment", name)
		}
	}
}

// compiled is the schema as an independent validator reads it.
func compiled(t *testing.T) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("run.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("run.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validateText(t *testing.T, s *validator.Schema, text []byte) error {
	t.Helper()
	v, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// The files are those of real runs and of every fixture of the reports.
func TestRunFilesKeepToTheSchema(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("../report/testdata/*/run.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixture of the reports: %v", err)
	}
	files = append(files, versionFixture(Schema))
	for _, path := range files {
		run, err := Read(path)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := encode(run)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := validateText(t, s, text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	text, err := encode(everyField(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := validateText(t, s, text); err != nil {
		t.Errorf("a run with a value in every field: %v", err)
	}
	empty, err := encode(&Run{Schema: Schema, Scenario: "x", Verdict: Verdict{Status: Error}})
	if err != nil {
		t.Fatal(err)
	}
	if err := validateText(t, s, empty); err != nil {
		t.Errorf("a run without a cell: %v", err)
	}
}

// everyField is the sample with the kinds that it lacks.
func everyField(t testing.TB) *Run {
	t.Helper()
	p, fair := 0.5, true
	run := sample(t)
	run.Environment.Alpha = 0.05
	c := &run.Cells[0]
	c.Params = map[string]string{"a": "b"}
	c.Declared = &Declared{IdleTimeout: 2}
	c.Config = []ConfigFile{{Name: "haproxy.cfg"}}
	tr := &c.Trials[0]
	tr.Balance = []Balance{{Phase: "start", P: &p, Fair: &fair, Processes: []ProcessOpen{{PID: 1}}}, {Phase: "more", Expected: map[string]float64{"n1": 1}}}
	tr.Probes = []Probe{{Asked: 1, Verdict: ProbeSaturated}}
	tr.Losses = []Loss{{Mark: "kill n1", Lost: 1}}
	tr.Handshakes = map[string]int{"101": 1}
	tr.Inconclusive, tr.Failed = []string{"a"}, []string{"b"}
	tr.Closes = append(tr.Closes, CloseGroup{By: "node"}) // without histograms
	return run
}

func TestSchemaRefusesWhatIsNoRun(t *testing.T) {
	s := compiled(t)
	good, err := encode(everyField(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ sentence, old, with string }{
		{"another version", `"schema": 1`, `"schema": 2`},
		{"another verdict", `"status": "inconclusive"`, `"status": "great"`},
		{"a text for a number", `"index": 1`, `"index": "1"`},
		{"an unknown name", `"scenario":`, `"scenery": 1, "scenario":`},
		{"a missing name", `"scenario":`, `"scenery":`},
		{"null for a list", `"reasons": [`, `"reasons": null, "x": [`},
		{"no time", `"started": "2026`, `"started": "yesterday 2026`},
		{"another direction", `"better": "higher"`, `"better": "sideways"`},
	} {
		if !strings.Contains(string(good), row.old) {
			t.Fatalf("%s: no %s in the sample", row.sentence, row.old)
		}
		if err := validateText(t, s, []byte(strings.Replace(string(good), row.old, row.with, 1))); err == nil {
			t.Errorf("%s keeps to the schema", row.sentence)
		}
	}
}

func versionFixture(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("v%d", version), FileName)
}

// Each version of the schema has a file that a wsrig of its time wrote. They are never
// written again: what they hold is what a user's results folder holds.
func TestEveryVersionOfTheSchemaLoads(t *testing.T) {
	for version := 1; version <= Schema; version++ {
		text, err := os.ReadFile(versionFixture(version))
		if err != nil {
			t.Errorf("version %d has no fixture: %v", version, err)
			continue
		}
		var head struct{ Schema int }
		if err := json.Unmarshal(text, &head); err != nil || head.Schema != version {
			t.Errorf("the fixture of version %d has version %d (%v)", version, head.Schema, err)
		}
		run, err := Read(versionFixture(version))
		if err != nil {
			t.Errorf("version %d: %v", version, err)
			continue
		}
		if run.Schema != Schema || len(run.Cells) == 0 || len(run.Checks) == 0 || len(run.Cells[0].Trials[0].Intervals) == 0 {
			t.Errorf("version %d loads as a run of schema %d without cells, checks or intervals", version, run.Schema)
		}
	}
	var steps []int
	for from := range migrations {
		steps = append(steps, from)
	}
	slices.Sort(steps)
	want := make([]int, 0, Schema-1)
	for from := 1; from < Schema; from++ {
		want = append(want, from)
	}
	if !slices.Equal(steps, want) {
		t.Errorf("there are migrations from the versions %v, want %v", steps, want)
	}
}
