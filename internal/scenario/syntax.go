package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parseYAML returns the one document of a text. The parser is not trusted with
// hostile text: what is known to make it slow is refused, and a panic of it
// becomes a problem.
func parseYAML(name string, text []byte) (root ast.Node, problems Problems) {
	problem := func(line, column int, format string, args ...any) Problems {
		return Problems{{name, max(1, line), max(1, column), fmt.Sprintf(format, args...)}}
	}
	switch {
	case len(text) > maxText:
		return nil, problem(1, 1, "the file has %d bytes, more than the limit of %d", len(text), maxText)
	case !utf8.Valid(text):
		line, column := invalidUTF8(text)
		return nil, problem(line, column, "a byte here is not UTF-8; save the file as UTF-8")
	}
	text = bytes.ReplaceAll(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	for i, line := range strings.Split(string(text), "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.Index(indent, "\t"); tab >= 0 && len(indent) < len(line) {
			problems = append(problems, problem(i+1, tab+1, "a tab in the indentation; YAML wants spaces")...)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	defer func() {
		if p := recover(); p != nil {
			root, problems = nil, problem(1, 1, "the YAML parser gave up on this file (%v); simplify it", p)
		}
	}()
	tokens := lexer.Tokenize(string(text))
	if len(tokens) > maxTokens {
		return nil, problem(1, 1, "the file has %d YAML tokens, more than the limit of %d", len(tokens), maxTokens)
	}
	if tk := tooDeep(tokens); tk != nil {
		return nil, problem(tk.Position.Line, tk.Position.Column, "brackets lie more than %d deep in each other; the language needs 3", maxDepth)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
			p := at.GetToken().Position
			return nil, problem(p.Line, p.Column, "this is not YAML: %s%s", at.GetMessage(), syntaxAdvice(at.GetMessage()))
		}
		return nil, problem(1, 1, "this is not YAML: its structure cannot be read")
	}
	return oneDocument(file, problem)
}

func oneDocument(file *ast.File, problem func(line, column int, format string, args ...any) Problems) (ast.Node, Problems) {
	var docs []*ast.DocumentNode
	for _, doc := range file.Docs {
		if doc.Body != nil {
			docs = append(docs, doc)
		}
	}
	if len(docs) == 0 {
		return nil, problem(1, 1, "the file is empty; begin with name: my-scenario")
	}
	if len(docs) > 1 {
		p := place(docs[1].Body)
		return nil, problem(p.line, p.column, "a second document begins here; put one scenario in a file")
	}
	if _, ok := docs[0].Body.(*ast.DirectiveNode); ok {
		return nil, problem(1, 1, "YAML directives are not part of the language; leave the line out")
	}
	return docs[0].Body, nil
}

// tooDeep returns the first bracket that opens below maxDepth others.
func tooDeep(tokens token.Tokens) *token.Token {
	depth := 0
	for _, tk := range tokens {
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			if depth++; depth > maxDepth {
				return tk
			}
		case token.MappingEndType, token.SequenceEndType:
			depth--
		}
	}
	return nil
}

func syntaxAdvice(message string) string {
	switch {
	case strings.Contains(message, "mapping value is not allowed"):
		return "; check the indentation, and quote a text that holds a colon and a space"
	case strings.Contains(message, "not found"), strings.Contains(message, "could not find"):
		return "; close what opens here"
	default:
		return ""
	}
}

// invalidUTF8 is the line and column of the first byte that is not UTF-8.
func invalidUTF8(text []byte) (line, column int) {
	line, column = 1, 1
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		text = text[size:]
	}
	return line, column
}
