package scenario_test

import (
	"encoding"
	"testing"
	"time"

	"wsrig/internal/scenario"
)

func TestScalarsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		into       encoding.TextUnmarshaler
		text, back string
	}{
		{new(scenario.Duration), "500ms", "500ms"},
		{new(scenario.Duration), "1m30s", "1m30s"},
		{new(scenario.Duration), "90s", "1m30s"},
		{new(scenario.Duration), "60s", "1m"},
		{new(scenario.Duration), "24h", "24h"},
		{new(scenario.Duration), "1h0m5s", "1h0m5s"},
		{new(scenario.Duration), "10m", "10m"},
		{new(scenario.Rate), "200/s", "200/s"},
		{new(scenario.Rate), "12/m", "12/m"},
		{new(scenario.Rate), "50/m", "50/m"},
		{new(scenario.Rate), "1/h", "1/h"},
		{new(scenario.Rate), "0.5/s", "30/m"},
		{new(scenario.Rate), "1000000/s", "1000000/s"},
		{new(scenario.Keepalive), "none", "none"},
		{new(scenario.Keepalive), "client-ping 500ms", "client-ping 500ms"},
		{new(scenario.Keepalive), " node-ping   10s ", "node-ping 10s"},
	} {
		if err := row.into.UnmarshalText([]byte(row.text)); err != nil {
			t.Errorf("%T: %v", row.into, err)
			continue
		}
		back, err := row.into.(encoding.TextMarshaler).MarshalText()
		if err != nil || string(back) != row.back {
			t.Errorf("%T %q is written back as %q (%v), want %q", row.into, row.text, back, err, row.back)
		}
	}
}

func TestScalarValues(t *testing.T) {
	t.Parallel()
	var r scenario.Rate
	if err := r.UnmarshalText([]byte("12/m")); err != nil || r != 0.2 {
		t.Errorf("12/m is %v a second (%v), want 0.2", float64(r), err)
	}
	var z scenario.Size
	if err := z.UnmarshalText([]byte("4KiB")); err != nil || z != 4096 {
		t.Errorf("4KiB is %d bytes (%v), want 4096", z, err)
	}
	var k scenario.Keepalive
	if err := k.UnmarshalText([]byte("node-ping 10s")); err != nil || k.By != scenario.NodePing || k.Every != 10*time.Second {
		t.Errorf("node-ping 10s is %+v (%v)", k, err)
	}
}

func TestScalarErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		into       encoding.TextUnmarshaler
		text, want string
	}{
		{new(scenario.Duration), "5 sec", `"5 sec" is no duration; use 5s`},
		{new(scenario.Duration), "2 minutes", `"2 minutes" is no duration; use 2m`},
		{new(scenario.Duration), "1.5 hours", `"1.5 hours" is no duration; use 1.5h`},
		{new(scenario.Duration), "15", "15 has no unit; use 15s for seconds or 15ms for milliseconds"},
		{new(scenario.Duration), "0", "0 has no unit; use 0s for seconds or 0ms for milliseconds"},
		{new(scenario.Duration), "soon", `"soon" is no duration; use a number and ms, s, m or h, as in 500ms, 15s or 1m30s`},
		{new(scenario.Duration), "3 days", `"3 days" is no duration; use a number and ms, s, m or h, as in 500ms, 15s or 1m30s`},
		{new(scenario.Duration), "", `"" is no duration; use a number and ms, s, m or h, as in 500ms, 15s or 1m30s`},
		{new(scenario.Duration), "-5s", "the duration -5s is negative; use 5s"},
		{new(scenario.Duration), "0s", "the duration 0s is zero; use 1ms or more"},
		{new(scenario.Duration), "10us", "the duration 10us is below the least of 1ms; use 1ms or more"},
		{new(scenario.Duration), "25h", "the duration 25h is above the limit of 24h; use 24h or less"},
		{new(scenario.Rate), "200", "the rate 200 has no unit; use 200/s"},
		{new(scenario.Rate), "200 per second", `"200 per second" is no rate; use 200/s, 200/m or 200/h`},
		{new(scenario.Rate), "200 / s", `"200 / s" is no rate; use a number and /s, /m or /h, as in 200/s`},
		{new(scenario.Rate), "fast", `"fast" is no rate; use a number and /s, /m or /h, as in 200/s`},
		{new(scenario.Rate), "-1/s", "the rate -1/s is negative; use 1/s"},
		{new(scenario.Rate), "0/s", "the rate 0/s is zero; use 1/s or more, or leave the step out"},
		{new(scenario.Rate), "0.5/h", "the rate 0.5/h is below the least of 1/h; use 1/h or more"},
		{new(scenario.Rate), "2000000/s", "the rate 2000000/s is above the limit of 1000000/s; use 1000000/s or less"},
		{new(scenario.Count), "1_000", `"1_000" is no count; use digits only, as in 200`},
		{new(scenario.Count), "1e3", `"1e3" is no count; use digits only, as in 200`},
		{new(scenario.Count), "2.5", `"2.5" is no count; use digits only, as in 200`},
		{new(scenario.Count), "-3", "the count -3 is negative; use 1 or more"},
		{new(scenario.Count), "0", "the count 0 is not positive; use 1 or more"},
		{new(scenario.Count), "1000001", "the count 1000001 is above the limit of 1000000"},
		{new(scenario.Count), "99999999999999999999", `"99999999999999999999" is no count; use digits only, as in 200`},
		{new(scenario.Size), "big", `"big" is no size; write bytes, as in 128, or 4KiB`},
		{new(scenario.Size), "0", "the size 0 is not positive; use 1 or more"},
		{new(scenario.Size), "2MiB", "the size 2MiB is above the limit of 1MiB; use 1MiB or less"},
		{new(scenario.Keepalive), "client-ping", "client-ping has no interval; use client-ping 500ms"},
		{new(scenario.Keepalive), "client-pin 5s", `"client-pin 5s" is no keepalive; did you mean "client-ping"?`},
		{new(scenario.Keepalive), "always", `"always" is no keepalive; use none, client-ping INTERVAL or node-ping INTERVAL`},
		{new(scenario.Keepalive), "none 5s", `"none 5s": none takes no interval; use none`},
		{new(scenario.Keepalive), "node-ping 5", "node-ping: 5 has no unit; use 5s for seconds or 5ms for milliseconds"},
		{new(scenario.CloseCode), "999", "the close code 999 may not be sent (RFC 6455 section 7.4); use 1000 to 1003, 1007 to 1014, or 3000 to 4999"},
		{new(scenario.CloseCode), "bye", `"bye" is no close code; use 1000, 1001, or one from 3000 to 4999`},
	} {
		if err := row.into.UnmarshalText([]byte(row.text)); err == nil || err.Error() != row.want {
			t.Errorf("%T %q:\n got %v\nwant %s", row.into, row.text, err, row.want)
		}
	}
}
