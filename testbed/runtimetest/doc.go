// Package runtimetest is the test that every Runtime passes: what a testbed relies on
// when it starts, hurts and ends units. A test binary that runs it calls PlayUnit
// first in its TestMain, because the units are that same binary.
package runtimetest
