package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"wsrig/internal/result"
)

// WriteAll writes the default formats of run into dir.
func WriteAll(run *result.Run, dir string) error {
	_, err := WriteFormats(run, dir, DefaultFormats())
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
