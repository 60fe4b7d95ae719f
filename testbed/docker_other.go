//go:build !linux

package testbed

// hostPID is 0: containers run in a virtual machine here.
func hostPID(string, int) int { return 0 }

// namespaceUsage sees no process of a container from here.
func namespaceUsage(int) (Usage, bool) { return Usage{}, false }
