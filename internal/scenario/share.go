package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// Share is a part of a whole, written "20%", from 0.1% to 6400%, which is 64 cores
// where the whole is one. The zero value is "not given".
type Share float64

// Limits of a share.
const (
	minShare = 0.001
	maxShare = 64
)

// UnmarshalText reads a share. The error says what to write.
func (h *Share) UnmarshalText(text []byte) error {
	s := string(text)
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err != nil || v != v:
		return fmt.Errorf("%q is no share; use a percentage, as in 20%%", s)
	case !percent && v >= 1: // 20 is meant as 20 %, 0.2 as a fifth
		return fmt.Errorf("%s has no percent sign; use %s", s, Share(v/100))
	case !percent:
		return fmt.Errorf("%s has no percent sign; use %s", s, Share(v))
	case v < 100*minShare || v > 100*maxShare:
		return fmt.Errorf("the share %s is out of range; use %s to %s", s, Share(minShare), Share(maxShare))
	}
	*h = Share(v / 100)
	return nil
}

// MarshalText writes the share as UnmarshalText reads it.
func (h Share) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// String is "20%".
func (h Share) String() string { return strconv.FormatFloat(float64(h)*100, 'g', 6, 64) + "%" }
