//go:build !linux

package wire

// now asks the kernel: elsewhere the runtime's clock may be another one, which stands
// still while the machine sleeps.
func now() int64 { return monotonic() }
