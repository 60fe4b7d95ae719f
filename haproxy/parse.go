package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// The parser keeps the byte offsets of every word, so that a rewrite touches
// addresses only and leaves a user's spacing and comments alone. It follows the
// quoting rules of HAProxy's manual, section 2.2.

// word is one argument of a line, unquoted, and where it stands in the text.
type word struct {
	text    string
	at, end int
}

// line is one line that says something.
type line struct {
	num     int // from 1
	at, end int // without the newline
	words   []word
	in      *section
}

// section is global, a defaults, or a proxy, with its lines.
type section struct {
	kind, name string
	head       *line
	lines      []*line
	base       *section // the defaults that a proxy or a defaults inherits
}

// file is a parsed configuration.
type file struct {
	name     string // for messages
	text     string
	sections []*section
}

// sectionKinds are the words that open a section.
var sectionKinds = []string{
	"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "mailers", "userlist", "program",
	"ring", "http-errors", "cache", "fcgi-app", "log-forward", "crt-store", "traces", "log-profile", "acme",
}

// parse reads a configuration. Errors carry file and line.
func parse(name, text string) (*file, error) {
	f := &file{name: name, text: text}
	at, num := 0, 0
	for raw := range strings.Lines(text) {
		num++
		l := &line{num: num, at: at, end: at + len(strings.TrimRight(raw, "\r\n"))}
		at += len(raw)
		var err error
		if l.words, err = splitWords(text[:l.end], l.at); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, num, err)
		}
		if len(l.words) == 0 {
			continue
		}
		if err := f.add(l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, num, err)
		}
	}
	return f, f.inherit()
}

// add puts a line into its section, or opens one.
func (f *file) add(l *line) error {
	first := l.words[0].text
	if strings.HasPrefix(first, ".") {
		return fmt.Errorf("%s: conditional blocks are not modelled; give the file as it is after them", first)
	}
	if slices.Contains(sectionKinds, first) {
		s := &section{kind: first, head: l}
		if len(l.words) > 1 && l.words[1].text != "from" {
			s.name = l.words[1].text
		}
		if s.name == "" && slices.Contains([]string{"frontend", "backend", "listen"}, first) {
			return fmt.Errorf("%s has no name", first)
		}
		l.in = s
		f.sections = append(f.sections, s)
		return nil
	}
	if len(f.sections) == 0 {
		return fmt.Errorf("%q stands before any section", first)
	}
	l.in = f.sections[len(f.sections)-1]
	l.in.lines = append(l.in.lines, l)
	return nil
}

// inherit finds each section's defaults: the one that "from" names, and for a proxy
// without one the last defaults before it, named or not. A defaults section
// inherits only by "from" (manual, section 4).
func (f *file) inherit() error {
	var last *section
	for _, s := range f.sections {
		switch s.kind {
		case "defaults", "frontend", "backend", "listen":
		default:
			continue
		}
		words := s.head.words
		from := slices.IndexFunc(words, func(w word) bool { return w.text == "from" })
		switch {
		case from > 0 && from+1 < len(words):
			s.base = f.find(words[from+1].text, "defaults")
			if s.base == nil || s.base == s || s.base.head.num > s.head.num {
				return fmt.Errorf("%s:%d: no defaults section %q before this line", f.name, s.head.num, words[from+1].text)
			}
		case s.kind != "defaults":
			s.base = last
		}
		if s.kind == "defaults" {
			last = s
		}
	}
	return nil
}

// find returns the section of that name and one of the kinds, or nil.
func (f *file) find(name string, kinds ...string) *section {
	for _, s := range f.sections {
		if s.name == name && slices.Contains(kinds, s.kind) {
			return s
		}
	}
	return nil
}

// last returns the line that rules: the last one in the section that starts with
// these words, or else the one that its defaults inherit to it. nil without any.
func (s *section) last(start ...string) *line {
	for ; s != nil; s = s.base {
		for _, l := range slices.Backward(s.lines) {
			if l.starts(start...) {
				return l
			}
		}
	}
	return nil
}

// mode is tcp or http; tcp unless it is said (manual, "mode").
func (s *section) mode() string {
	if l := s.last("mode"); l != nil && len(l.words) > 1 {
		return l.words[1].text
	}
	return "tcp"
}

// title is how people call a section: "backend chat".
func (s *section) title() string { return strings.TrimSpace(s.kind + " " + s.name) }

func (l *line) starts(words ...string) bool {
	if len(l.words) < len(words) {
		return false
	}
	for i, w := range words {
		if l.words[i].text != w {
			return false
		}
	}
	return true
}

// arg is the i-th word, or "".
func (l *line) arg(i int) string {
	if i < len(l.words) {
		return l.words[i].text
	}
	return ""
}

// splitWords splits text from at on. A backslash escapes one character, double
// quotes keep blanks, single quotes keep everything, an unquoted # ends the line.
func splitWords(text string, at int) ([]word, error) {
	var words []word
	var buf strings.Builder
	start, quote := -1, byte(0)
	finish := func(end int) {
		if start >= 0 {
			words = append(words, word{buf.String(), start, end})
			buf.Reset()
			start = -1
		}
	}
	for i := at; i < len(text); i++ {
		c := text[i]
		if quote == 0 && c == '#' {
			finish(i)
			return words, nil
		}
		if quote == 0 && (c == ' ' || c == '\t' || c == '\r') {
			finish(i)
			continue
		}
		if start < 0 {
			start = i
		}
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			buf.WriteByte(text[i])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == c:
			quote = 0
		default:
			buf.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	finish(len(text))
	return words, nil
}
