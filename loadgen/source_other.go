//go:build !linux

package loadgen

// bindWithoutPort does nothing here: each source address then has as many ports as
// there are in all.
func bindWithoutPort(int) error { return nil }
