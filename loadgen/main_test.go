package loadgen

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon is how long a test waits for what should happen at once.
const soon = 10 * time.Second

// deadline is a context that ends well before the test binary's own limit.
func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until ok holds, and fails the test with what when it does not.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	over := time.After(soon)
	for !ok() {
		select {
		case <-over:
			t.Fatalf("not within %s: %s", soon, what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func quiet(Progress) {}
