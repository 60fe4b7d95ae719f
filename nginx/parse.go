package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsrig/testbed/conftext"
)

// directive is a simple or block directive.
type directive struct {
	name     string
	args     []word
	line     int // from 1
	at, end  int // with the ; or the closing }
	body     int // offset after the {, 0 for a simple directive
	children []*directive
	parent   *directive // nil at the top of the main file
	in       *source
}

// source is one file's text. The edits of a rewrite are kept per file, since an
// included file is spliced into the text of the one that includes it.
type source struct {
	name  string // for messages
	dir   string // directory of the main file, which includes are relative to
	text  string
	edits []conftext.Edit
}

// file is a parsed configuration with the files it includes.
type file struct {
	main *directive // its children are the top level
}

// parse reads a main file. dir is its directory, for includes.
func parse(name, dir, text string) (*file, error) {
	top := &directive{in: &source{name: name, dir: dir, text: text}}
	p := &parser{src: top.in}
	if err := p.block(top, 0); err != nil {
		return nil, err
	}
	return &file{top}, nil
}

// block reads directives into d until its } or, at depth 0, the end of the file.
func (p *parser) block(d *directive, depth int) error {
	if depth > maxBlocks {
		return p.fail("blocks nest more than %d deep", maxBlocks)
	}
	for {
		tok, kind, err := p.next()
		switch {
		case err != nil:
			return err
		case kind == tokEnd && depth == 0:
			return nil
		case kind == tokEnd:
			return p.fail("the file ends inside %s: a } is missing", d.title())
		case kind == tokClose && depth > 0:
			d.end = p.pos
			return nil
		case kind != tokWord:
			return p.fail("unexpected %q", tok.text)
		}
		child := &directive{name: tok.text, line: p.lineAt(tok.at), at: tok.at, parent: d, in: p.src}
		if err := p.directive(child, depth); err != nil {
			return err
		}
		d.children = append(d.children, child)
		if child.name == "include" && len(child.args) == 1 {
			if err := p.include(child); err != nil {
				return err
			}
		}
	}
}

// directive reads the arguments and the body.
func (p *parser) directive(d *directive, depth int) error {
	for {
		tok, kind, err := p.next()
		if err != nil {
			return err
		}
		switch kind {
		case tokWord:
			d.args = append(d.args, tok)
		case tokSemicolon:
			d.end = p.pos
			return nil
		case tokOpen:
			d.body = p.pos
			if strings.HasSuffix(d.name, "_by_lua_block") {
				return p.skipLua(d)
			}
			return p.block(d, depth+1)
		default:
			return p.fail("%s is not ended by ;", d.name)
		}
	}
}

// skipLua jumps over a body that is not in Nginx's grammar, by its braces.
func (p *parser) skipLua(d *directive) error {
	for open := 1; p.pos < len(p.src.text); p.pos++ {
		switch p.src.text[p.pos] {
		case '{':
			open++
		case '}':
			open--
		}
		if open == 0 {
			p.pos++
			d.end = p.pos
			return nil
		}
	}
	return p.fail("%s is not closed", d.name)
}

// isMimeTypes tells whether an include is of the usual table of types, which is long,
// has nothing of interest, and stays a file of its own.
func isMimeTypes(include *directive) bool { return filepath.Base(include.arg(0)) == "mime.types" }

// include parses the files that an include names, in the order Nginx reads them, as
// children of the include directive.
func (p *parser) include(d *directive) error {
	pattern := d.args[0].text
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(p.src.dir, pattern)
	}
	if isMimeTypes(d) {
		return nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("%s:%d: include %s: %w", p.src.name, d.line, d.args[0].text, err)
	}
	if len(paths) == 0 && !strings.ContainsAny(pattern, "*?[") {
		return fmt.Errorf("%s:%d: include %s: there is no file %s", p.src.name, d.line, d.args[0].text, pattern)
	}
	if p.depth >= maxIncludes {
		return fmt.Errorf("%s:%d: include %s: files include each other more than %d deep", p.src.name, d.line, d.args[0].text, maxIncludes)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s:%d: include: %w", p.src.name, d.line, err)
		}
		name := path
		if rel, err := filepath.Rel(p.src.dir, path); err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
		// The children of one include come from several files; each file's top level is
		// a nameless directive that scope skips.
		top := &directive{parent: d, in: &source{name: name, dir: p.src.dir, text: string(data)}}
		inner := &parser{src: top.in, depth: p.depth + 1}
		if err := inner.block(top, 0); err != nil {
			return err
		}
		d.children = append(d.children, top)
	}
	return nil
}

// arg is the i-th argument, or "".
func (d *directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i].text
	}
	return ""
}

// title is how people call a block: "location /ws", "http".
func (d *directive) title() string {
	if d.parent == nil {
		return "main"
	}
	words := []string{d.name}
	for _, a := range d.args {
		words = append(words, a.text)
	}
	return strings.Join(words, " ")
}

// scope lists the directives of a block with included files in their places.
func (d *directive) scope() []*directive {
	var found []*directive
	for _, c := range d.children {
		switch c.name {
		case "include":
			for _, top := range c.children {
				found = append(found, top.scope()...)
			}
		default:
			found = append(found, c)
		}
	}
	return found
}

// named lists the directives of a block that have one of these names.
func (d *directive) named(names ...string) []*directive {
	var found []*directive
	for _, c := range d.scope() {
		if slices.Contains(names, c.name) {
			found = append(found, c)
		}
	}
	return found
}

// outer is the block that d stands in, includes skipped; nil above the main level.
func (d *directive) outer() *directive {
	p := d.parent
	for p != nil && p.parent != nil && (p.name == "include" || p.name == "") {
		p = p.parent
	}
	return p
}

// dataBlocks hold entries and not directives: a map may well have one named listen.
var dataBlocks = []string{"map", "geo", "types", "split_clients", "charset_map"}

// walk calls f for every directive inside d, blocks before what is in them.
func (d *directive) walk(f func(*directive)) {
	for _, c := range d.scope() {
		f(c)
		if !slices.Contains(dataBlocks, c.name) {
			c.walk(f)
		}
	}
}

// inherited returns the directive of that name that holds in block d: its own, or
// that of the nearest block around it. nil without any.
func (d *directive) inherited(name string) *directive {
	for ; d != nil; d = d.outer() {
		if own := d.named(name); len(own) > 0 {
			return own[0]
		}
	}
	return nil
}
