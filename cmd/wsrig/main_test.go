package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	nodechat "wsrig/peers/node-chat"
	"wsrig/testbed"
	"wsrig/testbed/dockertest"
)

// wsrigBinary is this command, built for the tests: units start it again, so the
// test binary cannot stand in for it.
var wsrigBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wsrig-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "build wsrig for the tests:", err)
		os.Exit(1)
	}
	wsrigBinary = filepath.Join(dir, "wsrig")
	build := exec.Command("go", "build", "-o", wsrigBinary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build wsrig for the tests:", err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	if err := dockertest.RemoveBuilt(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// TestScripts runs testdata/script/*.txtar: the command as a person uses it. The
// scripts skip themselves without the programs they need; in CI that is a failure.
func TestScripts(t *testing.T) {
	peer := testbed.NodeNeeds([]string{"node-chat"})
	if missing := testbed.Missing(append(allNeeds(), peer...)); len(missing) > 0 && os.Getenv("CI") != "" {
		t.Fatalf("CI runs every script, and %s is missing; run make deps, and bin/wsrig deps peer-node --install", testbed.Names(missing))
	}
	if _, err := exec.LookPath("git"); err != nil && os.Getenv("CI") != "" {
		t.Fatal("git is not installed")
	}
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			for _, kv := range os.Environ() {
				if strings.HasPrefix(kv, "GO") || strings.HasPrefix(kv, "HOME=") {
					e.Vars = append(e.Vars, kv)
				}
			}
			e.Setenv("PATH", filepath.Dir(wsrigBinary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("WSRIG_DIR", filepath.Dir(wsrigBinary))
			e.Setenv("SOURCE", source)
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			return errors.Join(os.WriteFile(filepath.Join(e.WorkDir, "server.js"), nodechat.Server, 0o644),
				os.MkdirAll(filepath.Join(e.WorkDir, "tmp"), 0o755))
		},
		Condition: func(name string) (bool, error) {
			if name != "node-chat" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return len(testbed.Missing(peer)) == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"wsrig":         runWsrig,
			"nothing-left":  nothingLeft,
			"no-process":    noProcess,
			"json-has":      jsonHas,
			"valid-json":    validJSON,
			"listen-on":     listenOn,
			"await-address": awaitAddress,
			"await-field":   awaitField,
			"free-port":     freePort,
			"await-port":    awaitPort,
		},
	})
}

// runWsrig is "wsrig CODE ARGS...": it runs the command and wants that exit code, or
// one of several, as in 0,3: a machine that is busy with other tests may make a run
// inconclusive. With 0,busy it is run again, a few times, until it is conclusive.
func runWsrig(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: wsrig EXIT-CODE ARGS...")
	}
	codes := strings.Split(args[0], ",")
	got := wsrigCode(ts, args[1:])
	for range 4 {
		if got != exitInconclusive || !slices.Contains(codes, "busy") {
			break
		}
		got = wsrigCode(ts, args[1:])
	}
	if !slices.Contains(codes, fmt.Sprint(got)) {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// wsrigCode runs the command once and returns its exit code.
func wsrigCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(wsrigBinary, args...)
	if err == nil {
		return 0
	}
	exit, ok := err.(*exec.ExitError)
	if !ok {
		ts.Fatalf("wsrig: %v", err)
	}
	return exit.ExitCode()
}

// nothingLeft is "nothing-left": no process works below the script's folder and the
// folder for temporary files is empty.
func nothingLeft(ts *testscript.TestScript, _ bool, _ []string) {
	if left := leftBehind(ts.Getenv("TMPDIR")); len(left) > 0 {
		ts.Fatalf("left behind: %v", left)
	}
}

// noProcess is "no-process ARG": no process that works in the script's folder has that
// argument.
func noProcess(ts *testscript.TestScript, _ bool, args []string) {
	procs, err := filepath.Glob("/proc/[0-9]*")
	ts.Check(err)
	for _, p := range procs {
		cwd, cwdErr := os.Readlink(filepath.Join(p, "cwd"))
		cmdline, err := os.ReadFile(filepath.Join(p, "cmdline"))
		if err == nil && cwdErr == nil && cwd == ts.MkAbs(".") && slices.Contains(strings.Split(string(cmdline), "\x00"), args[0]) {
			ts.Fatalf("left running: %s: %q", p, cmdline)
		}
	}
}

// leftBehind lists processes that work below dir, and what is in it.
func leftBehind(dir string) []string {
	var left []string
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return []string{err.Error()}
	}
	for _, p := range procs {
		cwd, err := os.Readlink(filepath.Join(p, "cwd"))
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(dir, cwd); err == nil && filepath.IsLocal(rel) && rel != "." {
			cmdline, _ := os.ReadFile(filepath.Join(p, "cmdline")) // for the message only
			left = append(left, fmt.Sprintf("%s in %s: %q", p, cwd, cmdline))
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return append(left, err.Error())
	}
	for _, e := range entries {
		left = append(left, filepath.Join(dir, e.Name()))
	}
	return left
}

// jsonHas is "json-has FILE PATH VALUE": the JSON in FILE (stdout for the last
// output) has VALUE at PATH, keys and indices joined by dots; * as VALUE wants any.
func jsonHas(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json-has FILE PATH VALUE")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	found := true
	for _, key := range strings.Split(args[1], "/") {
		switch at := v.(type) {
		case map[string]any:
			v, found = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			found = err == nil && i < len(at)
			if found {
				v = at[i]
			}
		default:
			found = false
		}
		if !found {
			break
		}
	}
	got := fmt.Sprint(v)
	if ok := found && (args[2] == "*" || got == args[2]); ok == neg {
		ts.Fatalf("%s: %s is %q (there: %v), want %q (not: %v)", args[0], args[1], got, found, args[2], neg)
	}
}

// validJSON is "valid-json SCHEMA FILE": the JSON in FILE keeps to the JSON Schema, by
// a validator that has nothing to do with what made either.
func validJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: valid-json SCHEMA FILE")
	}
	var docs [2]any
	for i, path := range args {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(path)))
		ts.Check(err)
		docs[i] = v
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ts.Check(c.AddResource("schema.json", docs[0]))
	schema, err := c.Compile("schema.json")
	ts.Check(err)
	ts.Check(schema.Validate(docs[1]))
}

// listenOn is "listen-on VAR": it holds a port until the script ends and puts its
// number into VAR.
func listenOn(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// awaitAddress is "await-address FILE VAR": it waits for the line in which a
// background wsrig says where it listens.
func awaitAddress(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		var line struct{ Msg, Addr string }
		first, _, whole := strings.Cut(string(text), "\n")
		if err == nil && whole && json.Unmarshal([]byte(first), &line) == nil && line.Msg == "listening" {
			ts.Setenv(args[1], line.Addr)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s: nobody said where it listens", args[0])
}

// awaitField is "await-field FILE REGEXP VAR": it waits until a line of FILE matches,
// and puts the first group into VAR.
func awaitField(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: await-field FILE REGEXP VAR")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var text []byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, err = os.ReadFile(ts.MkAbs(args[0])); err == nil {
			if m := re.FindSubmatch(text); m != nil {
				ts.Setenv(args[2], string(m[1]))
				return
			}
		}
	}
	ts.Fatalf("%s: no line matches %s:\n%s", args[0], args[1], text)
}

// freePort is "free-port VAR": it puts the number of a port into VAR that nobody
// listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// awaitPort is "await-port NUMBER": it waits until somebody listens there.
func awaitPort(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", args[0]), time.Second); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("port %s: nobody listens there", args[0])
}
