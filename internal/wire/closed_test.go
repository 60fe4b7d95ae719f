package wire

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
)

func TestClosedReadsBackWhatANodeLogs(t *testing.T) {
	want := Closed{
		Name: `c"17`, Room: "r\n1", Remote: "127.0.0.1:5555",
		By: ByNode, Kind: KindCloseFrame, Code: 1012, Cause: CauseDrain, Detail: "bye",
		AgeS: 3.004, ReadSilence: 0.5, WriteSilence: 0.25, At: 1<<53 + 1,
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.LogAttrs(context.Background(), slog.LevelInfo, ClosedMsg, want.Attrs()...)
	got, ok := ParseClosed(log.Bytes())
	if !ok || got != want {
		t.Errorf("ParseClosed = %+v, %v; want %+v", got, ok, want)
	}
}

func TestParseClosedRefusesOtherLines(t *testing.T) {
	for why, line := range map[string]string{
		"an empty line":                       ``,
		"text of another program":             `panic: "msg":"closed"`,
		"another message":                     `{"msg":"listening","addr":"127.0.0.1:1","node":"n1"}`,
		"another message that speaks of it":   `{"msg":"x","y":{"msg":"closed"},"by":"node"}`,
		"a line cut off by a kill":            `{"msg":"closed","name":"c17","by":"no`,
		"an end that nobody is said to cause": `{"msg":"closed","name":"c17"}`,
	} {
		if got, ok := ParseClosed([]byte(line)); ok {
			t.Errorf("%s: read as %+v", why, got)
		}
	}
}
