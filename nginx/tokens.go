package nginx

import (
	"fmt"
	"strings"
)

// The tokenizer is our own, and not gonginx's parser: that one keeps a directive's
// line but not where its words stand, so that a change to a file can only be written
// by dumping the whole tree in the dumper's own layout. Here every word has its byte
// offsets, a rewrite touches the addresses alone, and a user's diff shows only them.
// The grammar is that of ngx_conf_read_token: words, quotes, ; { } and #.

// word is one argument, unquoted, and where it stands in its file.
type word struct {
	text    string
	at, end int
}

type parser struct {
	src     *source
	pos     int
	depth   int // of includes
	counted int // offset up to which newlines are counted
	lines   int // newlines before counted
}

// maxIncludes bounds how deep files include each other, maxBlocks how deep blocks nest.
const (
	maxIncludes = 20
	maxBlocks   = 100
)

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.src.name, p.lineAt(p.pos), fmt.Sprintf(format, args...))
}

func (p *parser) lineAt(at int) int {
	if at < p.counted {
		return strings.Count(p.src.text[:at], "\n") + 1
	}
	p.lines += strings.Count(p.src.text[p.counted:at], "\n")
	p.counted = at
	return p.lines + 1
}

type tokenKind int

const (
	tokWord tokenKind = iota
	tokSemicolon
	tokOpen
	tokClose
	tokEnd
)

// next reads one token. A quote counts only at the start of a word, # only there
// too; "${" does not open a block.
func (p *parser) next() (word, tokenKind, error) {
	s := p.src.text
	for p.pos < len(s) && (strings.IndexByte(" \t\r\n", s[p.pos]) >= 0 || s[p.pos] == '#') {
		if s[p.pos] == '#' {
			if nl := strings.IndexByte(s[p.pos:], '\n'); nl >= 0 {
				p.pos += nl
			} else {
				p.pos = len(s)
			}
			continue
		}
		p.pos++
	}
	if p.pos >= len(s) {
		return word{}, tokEnd, nil
	}
	start := p.pos
	if kind, ok := map[byte]tokenKind{';': tokSemicolon, '{': tokOpen, '}': tokClose}[s[start]]; ok {
		p.pos++
		return word{s[start:p.pos], start, p.pos}, kind, nil
	}
	if s[start] == '"' || s[start] == '\'' {
		return p.quoted(s[start])
	}
	var buf strings.Builder
	for ; p.pos < len(s); p.pos++ {
		c := s[p.pos]
		if c == '{' && p.pos > start && s[p.pos-1] == '$' {
			buf.WriteByte(c)
			continue
		}
		if strings.IndexByte(" \t\r\n;{", c) >= 0 {
			break
		}
		if c == '\\' && p.pos+1 < len(s) {
			p.pos++
			unescape(&buf, s[p.pos])
			continue
		}
		buf.WriteByte(c)
	}
	return word{buf.String(), start, p.pos}, tokWord, nil
}

func (p *parser) quoted(quote byte) (word, tokenKind, error) {
	s, start := p.src.text, p.pos
	var buf strings.Builder
	for p.pos++; p.pos < len(s); p.pos++ {
		switch c := s[p.pos]; {
		case c == quote:
			p.pos++
			return word{buf.String(), start, p.pos}, tokWord, nil
		case c == '\\' && p.pos+1 < len(s):
			p.pos++
			unescape(&buf, s[p.pos])
		default:
			buf.WriteByte(c)
		}
	}
	p.pos = start
	return word{}, tokEnd, p.fail("a quote %c is not closed", quote)
}

// unescape writes what a backslash before c means: Nginx knows quotes, backslash,
// t, r and n, and keeps both characters otherwise, which regular expressions rely on.
func unescape(buf *strings.Builder, c byte) {
	switch c {
	case '"', '\'', '\\':
		buf.WriteByte(c)
	case 't':
		buf.WriteByte('\t')
	case 'r':
		buf.WriteByte('\r')
	case 'n':
		buf.WriteByte('\n')
	default:
		buf.WriteByte('\\')
		buf.WriteByte(c)
	}
}
