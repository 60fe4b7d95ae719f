package budget

import (
	"encoding/json"
	"strconv"
)

// Fact is one number about a machine. The zero value is unknown, which is not 0: a
// wall whose limit is unknown is not judged.
type Fact struct {
	n     int64
	known bool
}

// Known is a fact that was read.
func Known(n int64) Fact { return Fact{n, true} }

// Get returns the number, and false when it is unknown.
func (f Fact) Get() (n int64, known bool) { return f.n, f.known }

// String is the number, or "unknown".
func (f Fact) String() string {
	if !f.known {
		return "unknown"
	}
	return strconv.FormatInt(f.n, 10)
}

// MarshalJSON writes null for what is unknown.
func (f Fact) MarshalJSON() ([]byte, error) {
	if !f.known {
		return []byte("null"), nil
	}
	return json.Marshal(f.n)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Fact) UnmarshalJSON(text []byte) error {
	*f = Fact{}
	if string(text) == "null" {
		return nil
	}
	f.known = true
	return json.Unmarshal(text, &f.n)
}

// lesser is the smaller of two facts; what is unknown does not bound the other.
func lesser(a, b Fact) Fact {
	if !a.known || b.known && b.n < a.n {
		return b
	}
	return a
}
