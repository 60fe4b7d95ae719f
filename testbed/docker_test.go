package testbed_test

import (
	"testing"

	"wsrig/testbed"
	"wsrig/testbed/dockertest"
	"wsrig/testbed/runtimetest"
)

// docker connects with the stand-in images and a static build of this test's program.
func docker(t *testing.T) *testbed.Docker {
	t.Helper()
	dockertest.Need(t)
	return dockertest.Connect(t, dockertest.Build(t, "test", "-c", "."))
}

func TestDockerRuntimeConforms(t *testing.T) {
	d := docker(t)
	runtimetest.Conformance(t, func(t *testing.T, logDir string) (testbed.Runtime, error) {
		return d.NewRuntime(t.Context(), logDir)
	})
}
