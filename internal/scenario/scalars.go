package scenario

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wsrig/internal/result"
)

// Limits of scalars: far above anything one machine can do, low enough that a
// mistyped value is caught before it is tried.
const (
	maxCount    = 1_000_000
	maxDuration = 24 * time.Hour
	minDuration = time.Millisecond
	maxRate     = 1_000_000 // a second
	minRate     = 1.0 / 3600
	maxBody     = 1 << 20 // bytes of a message
)

// Duration is a positive length of time, written "500ms", "15s" or "1m30s", from
// 1 ms to 24 h. The zero value is "not given".
type Duration time.Duration

// durationWords are the units that people write, and the ones that are read.
var durationWords = map[string]string{
	"millisecond": "ms", "milliseconds": "ms", "millis": "ms", "msec": "ms", "msecs": "ms",
	"second": "s", "seconds": "s", "sec": "s", "secs": "s", "S": "s",
	"minute": "m", "minutes": "m", "min": "m", "mins": "m", "M": "m",
	"hour": "h", "hours": "h", "hr": "h", "hrs": "h", "H": "h",
	"ms": "ms", "s": "s", "m": "m", "h": "h",
}

var numberAndWord = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$`)

// UnmarshalText reads a duration. The error says what to write.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := time.ParseDuration(s)
	switch {
	case err != nil || s == "0":
		return fmt.Errorf("%s", durationAdvice(s))
	case v < 0:
		return fmt.Errorf("the duration %s is negative; use %s", s, strings.TrimLeft(s, "-"))
	case v == 0:
		return fmt.Errorf("the duration %s is zero; use %s or more", s, minDuration)
	case v < minDuration:
		return fmt.Errorf("the duration %s is below the least of %s; use %s or more", s, minDuration, minDuration)
	case v > maxDuration:
		return fmt.Errorf("the duration %s is above the limit of 24h; use 24h or less", s)
	}
	*d = Duration(v)
	return nil
}

func durationAdvice(s string) string {
	if m := numberAndWord.FindStringSubmatch(s); m != nil {
		if m[2] == "" {
			return fmt.Sprintf("%s has no unit; use %ss for seconds or %sms for milliseconds", s, m[1], m[1])
		}
		if unit, ok := durationWords[m[2]]; ok {
			return fmt.Sprintf("%q is no duration; use %s%s", s, m[1], unit)
		}
	}
	return fmt.Sprintf("%q is no duration; use a number and ms, s, m or h, as in 500ms, 15s or 1m30s", s)
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is "15s", "1m30s" or "1h".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Rate is a number of events per second, written "200/s", "12/m" or "90/h", from
// one an hour to a million a second. The zero value is "not given".
type Rate float64

var rateShape = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]+)?)(/s|/m|/h)?$`)

// UnmarshalText reads a rate. The error says what to write.
func (r *Rate) UnmarshalText(text []byte) error {
	s := string(text)
	m := rateShape.FindStringSubmatch(s)
	if m == nil {
		if n := numberAndWord.FindStringSubmatch(strings.ReplaceAll(s, " ", "")); n != nil {
			return fmt.Errorf("%q is no rate; use %s/s, %s/m or %s/h", s, n[1], n[1], n[1])
		}
		return fmt.Errorf("%q is no rate; use a number and /s, /m or /h, as in 200/s", s)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return fmt.Errorf("the rate %s is out of range; use %d/s or less", s, maxRate)
	}
	if m[2] == "" {
		return fmt.Errorf("the rate %s has no unit; use %s/s", s, strings.TrimLeft(s, "-"))
	}
	perSecond := v / map[string]float64{"/s": 1, "/m": 60, "/h": 3600}[m[2]]
	switch {
	case v < 0:
		return fmt.Errorf("the rate %s is negative; use %s", s, strings.TrimLeft(s, "-"))
	case v == 0:
		return fmt.Errorf("the rate %s is zero; use 1/s or more, or leave the step out", s)
	case perSecond < minRate:
		return fmt.Errorf("the rate %s is below the least of 1/h; use 1/h or more", s)
	case perSecond > maxRate:
		return fmt.Errorf("the rate %s is above the limit of %d/s; use %d/s or less", s, maxRate, maxRate)
	}
	*r = Rate(perSecond)
	return nil
}

// MarshalText writes the rate as UnmarshalText reads it.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String is "200/s". A rate that has no short decimal form per second, as 50/m,
// is shown per minute or per hour when it has one there.
func (r Rate) String() string {
	best := ""
	for _, u := range []struct {
		name   string
		factor float64
	}{{"/s", 1}, {"/m", 60}, {"/h", 3600}} {
		v := float64(r) * u.factor
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if short := strconv.FormatFloat(v, 'f', 3, 64); mustFloat(short)/u.factor == float64(r) {
			s = strconv.FormatFloat(mustFloat(short), 'f', -1, 64)
		}
		if best == "" || len(s+u.name) < len(best) {
			best = s + u.name
		}
	}
	return best
}

func mustFloat(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN() // equal to nothing
	}
	return v
}

// Count is a positive whole number of things, up to a million. The zero value is
// "not given".
type Count int

// UnmarshalText reads a count. The error says what to write.
func (c *Count) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := strconv.Atoi(s)
	switch {
	case err != nil || strings.HasPrefix(s, "+"):
		return fmt.Errorf("%q is no count; use digits only, as in 200", s)
	case v < 0:
		return fmt.Errorf("the count %s is negative; use 1 or more", s)
	case v == 0:
		return fmt.Errorf("the count %s is not positive; use 1 or more", s)
	case v > maxCount:
		return fmt.Errorf("the count %s is above the limit of %d", s, maxCount)
	}
	*c = Count(v)
	return nil
}

// Size is a number of bytes, written "128", "10KB" (of 1000) or "4KiB" (of 1024),
// from 1 to 1 MiB. In JSON it is a plain number.
type Size int

// UnmarshalText reads a size. The error says what to write.
func (z *Size) UnmarshalText(text []byte) error {
	v, err := result.ParseSize(string(text))
	switch {
	case err != nil:
		return err
	case v == 0:
		return fmt.Errorf("the size %s is not positive; use 1 or more", text)
	case v > maxBody:
		return fmt.Errorf("the size %s is above the limit of 1MiB; use 1MiB or less", text)
	}
	*z = Size(v)
	return nil
}

// Kinds of Keepalive.
const (
	KeepaliveNone = "none"
	ClientPing    = "client-ping"
	NodePing      = "node-ping"
)

// Keepalive says who sends pings (RFC 6455 section 5.5.2), and how often: "none",
// "client-ping 500ms" or "node-ping 10s". The zero value is "not given".
type Keepalive struct {
	By    string        // none, client-ping or node-ping
	Every time.Duration // 0 with none
}

// UnmarshalText reads a keepalive. The error says what to write.
func (k *Keepalive) UnmarshalText(text []byte) error {
	by, every, timed := strings.Cut(strings.TrimSpace(string(text)), " ")
	switch {
	case by == KeepaliveNone && timed:
		return fmt.Errorf("%q: none takes no interval; use none", text)
	case by == KeepaliveNone:
		*k = Keepalive{By: by}
		return nil
	case by != ClientPing && by != NodePing:
		return fmt.Errorf("%q is no keepalive%s", text, orOneOf(by, []string{KeepaliveNone, ClientPing, NodePing},
			"use none, client-ping INTERVAL or node-ping INTERVAL"))
	case !timed:
		return fmt.Errorf("%s has no interval; use %s 500ms", by, by)
	}
	var d Duration
	if err := d.UnmarshalText([]byte(strings.TrimSpace(every))); err != nil {
		return fmt.Errorf("%s: %w", by, err)
	}
	*k = Keepalive{By: by, Every: time.Duration(d)}
	return nil
}

// MarshalText writes the keepalive as UnmarshalText reads it.
func (k Keepalive) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// String is "none" or "client-ping 500ms".
func (k Keepalive) String() string {
	if k.Every == 0 {
		return k.By
	}
	return k.By + " " + Duration(k.Every).String()
}

// orOneOf is the suggestion behind a word that is none of a list: the nearest ones
// or, when none is near, advice.
func orOneOf(word string, list []string, advice string) string {
	const longest = 64 // no word of the language comes near it
	if len(word) <= longest {
		if s := result.DidYouMean(word, list); s != "" {
			return s
		}
	}
	return "; " + advice
}
