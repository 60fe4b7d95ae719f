package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"wsrig/internal/result"
)

// Rebuild reads run.json in dir, and from nothing else writes report.txt, report.md,
// report.html and the plots again. Plots of an earlier report that the run has no data for are
// removed.
func Rebuild(dir string) (*result.Run, error) {
	run, err := result.Read(filepath.Join(dir, result.FileName))
	if err != nil {
		return nil, err
	}
	return run, WriteAll(run, dir)
}

// WriteAll writes report.txt, report.md, report.html and the plots of run into dir.
func WriteAll(run *result.Run, dir string) error {
	var text, md, page bytes.Buffer
	if err := Text(&text, run, DefaultWidth); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := Markdown(&md, run); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := HTML(&page, run); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	for name, data := range map[string][]byte{"report.txt": text.Bytes(), "report.md": md.Bytes(), HTMLFile: page.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if err := removePlots(dir); err != nil {
		return err
	}
	_, err := Plot(run, dir)
	return err
}

// removePlots removes the files that Plot may have written, and no others.
func removePlots(dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, PlotDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove old plots: %w", err)
	}
	for _, e := range entries {
		if !isPlot(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, PlotDir, e.Name())); err != nil {
			return fmt.Errorf("remove old plots: %w", err)
		}
	}
	return nil
}

// isPlot tells NAME.svg, NAME-2.png and the like from other files.
func isPlot(file string) bool {
	ext := filepath.Ext(file)
	if ext != ".svg" && ext != ".png" {
		return false
	}
	base := strings.TrimSuffix(file, ext)
	if i := strings.LastIndexByte(base, '-'); i >= 0 {
		if _, err := strconv.ParseUint(base[i+1:], 10, 16); err == nil {
			base = base[:i]
		}
	}
	return plots[base] != nil
}
