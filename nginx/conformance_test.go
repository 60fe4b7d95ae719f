package nginx

import (
	"testing"

	"wsrig/testbed/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

func TestConformance(t *testing.T) { proxytest.Conformance(t, Driver{}) }
