package loadgen

import (
	"runtime"
	"sync"
)

// processors counts the threads that sleep in system calls of their own. While one
// sleeps the Go scheduler believes for up to 10 ms that it still needs its processor
// (in the runtime's sense, a right to run Go code), and on a small machine all of them
// can be held like that while a goroutine has work. So each such thread brings one
// with it; the kernel shares the cores out.
var processors struct {
	mu   sync.Mutex
	held int
}

// holdProcessors adds n processors for threads of this package, until release.
func holdProcessors(n int) (release func()) {
	add := func(n int) {
		processors.mu.Lock()
		defer processors.mu.Unlock()
		processors.held += n
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
	}
	add(n)
	return sync.OnceFunc(func() { add(-n) })
}

// usableCores is how many cores this process may use: GOMAXPROCS as it would be without
// holdProcessors.
func usableCores() int {
	processors.mu.Lock()
	defer processors.mu.Unlock()
	return runtime.GOMAXPROCS(0) - processors.held
}
