package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panelWidth and panelHeight are the size that a panel of a page is drawn for. The
// page scales it to its column.
var panelWidth, panelHeight = vg.Points(320), vg.Points(215)

// panelSVG draws a panel as an svg element for a page. label is what a screen reader
// says of it.
func panelSVG(p *plot.Plot, label string) (template.HTML, error) {
	p.Title.Text = "" // the page has it above the panel
	p.BackgroundColor = nil
	c := vgsvg.New(panelWidth, panelHeight)
	const margin = 4 // half of the last tick's label is beyond the axis
	p.Draw(draw.Crop(draw.New(c), margin, -4*margin, margin, -2*margin))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("render SVG: %w", err)
	}
	return inlineSVG(b.Bytes(), label)
}

// inlineSVG writes an SVG document of vgsvg as an element of a page: its colours are
// those of the page's style sheet, coordinates are rounded to what can be seen, and
// nothing that the page does not need comes along. An element or a style that vgsvg
// was not known to write is an error, so that only drawings get into a page.
func inlineSVG(document []byte, label string) (template.HTML, error) {
	var out strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(document)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("inline SVG: %w", err)
		}
		switch at := token.(type) {
		case xml.StartElement:
			if err := startElement(&out, at, label); err != nil {
				return "", fmt.Errorf("inline SVG: %w", err)
			}
		case xml.EndElement:
			out.WriteString("</" + at.Name.Local + ">")
		case xml.CharData:
			if text := shorten(string(bytes.TrimSpace(at)), maxLabel); text != "" {
				out.WriteString(html.EscapeString(text))
			}
		}
	}
	return template.HTML(out.String()), nil
}

// maxLabel is how many characters a text within a panel has.
const maxLabel = 120

func startElement(out *strings.Builder, e xml.StartElement, label string) error {
	if e.Name.Local == "svg" {
		box := attribute(e, "viewBox")
		if !coordinates.MatchString(box) {
			return fmt.Errorf("viewBox %q holds more than numbers", box)
		}
		fmt.Fprintf(out, `<svg role="img" aria-label="%s" viewBox="%s">`, html.EscapeString(label), box)
		return nil
	}
	known, ok := svgAttributes[e.Name.Local]
	if !ok {
		return fmt.Errorf("there is no place for <%s> in a page", e.Name.Local)
	}
	out.WriteString("<" + e.Name.Local)
	for _, name := range known {
		value := attribute(e, name)
		if value == "" {
			continue
		}
		if !coordinates.MatchString(value) {
			return fmt.Errorf("<%s %s=%q> holds more than numbers", e.Name.Local, name, value)
		}
		fmt.Fprintf(out, ` %s="%s"`, name, rounded(value))
	}
	if e.Name.Local != "g" {
		style, err := pageStyle(attribute(e, "style"))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, ` style="%s"`, style)
	}
	out.WriteString(">")
	return nil
}

// svgAttributes are the elements that vgsvg draws with, and their geometry.
var svgAttributes = map[string][]string{
	"g":    {"transform"},
	"path": {"d"},
	"text": {"x", "y", "transform"},
}

var (
	coordinates = regexp.MustCompile(`^[-+.,0-9A-Za-z() \n]*$`)
	number      = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?`)
)

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// rounded writes every number to a tenth of a point.
func rounded(geometry string) string {
	return number.ReplaceAllStringFunc(geometry, func(s string) string {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return s
		}
		s = strconv.FormatFloat(v, 'f', 1, 64)
		s = strings.TrimSuffix(s, ".0")
		if s == "-0" {
			return "0"
		}
		return s
	})
}

// svgStyles are the properties of vgsvg that a page keeps, with what they may hold.
// Of a font it keeps the size and the weight.
var svgStyles = map[string]*regexp.Regexp{
	"fill":              regexp.MustCompile(`^(none|#[0-9A-F]{6})$`),
	"fill-opacity":      regexp.MustCompile(`^[0-9.]+$`),
	"stroke":            regexp.MustCompile(`^(none|#[0-9A-F]{6})$`),
	"stroke-opacity":    regexp.MustCompile(`^[0-9.]+$`),
	"stroke-width":      regexp.MustCompile(`^[0-9.]+$`),
	"stroke-dasharray":  regexp.MustCompile(`^[0-9.,]+$`),
	"stroke-dashoffset": regexp.MustCompile(`^[0-9.]+$`),
	"font-size":         regexp.MustCompile(`^[0-9.]+px$`),
	"font-weight":       regexp.MustCompile(`^(normal|bold)$`),
	"font-family":       nil,
	"font-style":        nil,
	"font-variant":      nil,
}

// pageStyle turns a style of vgsvg into one of a page. What vgsvg does not say is
// black, which on a dark page is not.
func pageStyle(style string) (string, error) {
	var kept []string
	filled := false
	for part := range strings.SplitSeq(style, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		may, known := svgStyles[name]
		switch {
		case name == "" || known && may == nil || value == "normal":
			continue
		case !known || !may.MatchString(value):
			return "", fmt.Errorf("there is no place for the style %q in a page", part)
		}
		filled = filled || name == "fill"
		kept = append(kept, name+":"+pageColour(value))
	}
	if !filled {
		kept = append(kept, "fill:"+pageColour("#000000"))
	}
	return strings.Join(kept, ";"), nil
}

// pageColour is the variable of the style sheet for a colour that has a name.
func pageColour(value string) string {
	var c color.RGBA
	if n, err := fmt.Sscanf(value, "#%02X%02X%02X", &c.R, &c.G, &c.B); err != nil || n != 3 {
		return value
	}
	c.A = 0xff
	if name, ok := inks[c]; ok {
		return "var(--" + name + ")"
	}
	return value
}

// sampleSVG is the line of a legend's entry.
func sampleSVG(style draw.LineStyle) template.HTML {
	dashes := make([]string, len(style.Dashes))
	for i, d := range style.Dashes {
		dashes[i] = strconv.FormatFloat(d.Points(), 'g', -1, 64)
	}
	ink := cmp.Or(inkOf(style.Color), inks[plotTitleColour])
	return template.HTML(fmt.Sprintf(`<svg class="sample" viewBox="0 0 30 8" aria-hidden="true"><path d="M0,4L30,4" style="stroke:var(--%s);stroke-dasharray:%s"/></svg>`,
		ink, cmp.Or(strings.Join(dashes, ","), "none")))
}
