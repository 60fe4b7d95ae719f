package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"wsrig/internal/result"
)

// comparisonFile begins the names of a comparison's files.
const comparisonFile = "comparison"

// comparisonFiles compares the sides of a run of wsrig regress. Other runs have no
// comparison.
func comparisonFiles(run *result.Run) ([]File, error) {
	if _, _, err := PairSides(run); err != nil {
		return nil, nil
	}
	c, err := CompareSides(run, CompareOptions{})
	if err != nil {
		return nil, err
	}
	var page, text, md, data bytes.Buffer
	err = errors.Join(HTMLComparison(&page, c), c.Text(&text, DefaultWidth, true), c.Markdown(&md, true), c.JSON(&data))
	if err != nil {
		return nil, err
	}
	return []File{
		{comparisonFile + ".html", page.Bytes()}, {comparisonFile + ".txt", text.Bytes()},
		{comparisonFile + ".md", md.Bytes()}, {comparisonFile + ".json", data.Bytes()},
	}, nil
}

// JSON writes the comparison for programs.
func (c *Comparison) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}
