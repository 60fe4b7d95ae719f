package testbed_test

import (
	"testing"

	"wsrig/testbed"
	"wsrig/testbed/runtimetest"
)

func TestProcessRuntimeConforms(t *testing.T) {
	runtimetest.Conformance(t, func(_ *testing.T, logDir string) (testbed.Runtime, error) {
		return testbed.NewProcessRuntime("", logDir)
	})
}
