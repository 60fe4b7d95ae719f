package testbed

import (
	"io"
	"os"
	"strings"
)

// tailLines returns the last n lines of a log, long lines cut. It is for errors:
// what cannot be read is left out.
func tailLines(path string, n int) []string {
	const window, lineMax = 16 << 10, 300
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > window {
		if _, err := f.Seek(-window, io.SeekEnd); err != nil {
			return nil
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, window))
	if err != nil {
		return nil
	}
	text := strings.TrimRight(string(b), "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, l := range lines {
		if len(l) > lineMax {
			lines[i] = strings.ToValidUTF8(l[:lineMax], "") + "..."
		}
	}
	return lines
}
