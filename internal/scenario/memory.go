package scenario

import (
	"fmt"
	"strconv"

	"wsrig/internal/result"
)

// Memory is a limit of memory in bytes, written "64MiB" or "512MB", from 16 MiB to
// 64 GiB. The zero value is "not given".
type Memory uint64

// Limits of a limit. Docker takes 6 MiB and more, and a node needs about 10 to start.
const (
	minMemory = 16 << 20
	maxMemory = 64 << 30
)

// UnmarshalText reads a limit of memory. The error says what to write.
func (m *Memory) UnmarshalText(text []byte) error {
	v, err := result.ParseSize(string(text))
	switch {
	case err != nil:
		return err
	case v < minMemory || v > maxMemory:
		return fmt.Errorf("the memory %s is out of range; use %s to %s", text, Memory(minMemory), Memory(maxMemory))
	}
	*m = Memory(v) // in range, so not negative
	return nil
}

// MarshalText writes the limit as UnmarshalText reads it.
func (m Memory) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String is "64MiB", or bytes where that is not whole.
func (m Memory) String() string {
	if m%(1<<20) != 0 {
		return strconv.FormatUint(uint64(m), 10)
	}
	return strconv.FormatUint(uint64(m)>>20, 10) + "MiB"
}

// parseCPU reads a share of a core as cores.
func parseCPU(text string) (float64, error) {
	var v Share
	err := v.UnmarshalText([]byte(text))
	return float64(v), err
}

// parseMemory reads a limit of memory as bytes.
func parseMemory(text string) (uint64, error) {
	var v Memory
	err := v.UnmarshalText([]byte(text))
	return uint64(v), err
}
