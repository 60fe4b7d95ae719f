package scenario

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// maxDepth is how deep values may lie in each other; the language itself needs 5.
const maxDepth = 32

// decoder walks a YAML tree into Go values. It goes on after a problem, so that
// one reading finds all of them, and remembers where each value stood.
type decoder struct {
	file     string
	problems Problems
	at       map[string]position // by path: "steps[1].for"
	broken   map[string]bool     // paths whose values could not be read
	depth    int
}

// yamlValue is a type that reads a node in a way of its own.
type yamlValue interface {
	decodeYAML(d *decoder, n ast.Node, path string)
}

func (d *decoder) fail(n ast.Node, path, format string, args ...any) {
	p := place(n)
	d.broken[path] = true
	d.problems = append(d.problems, Problem{d.file, p.line, p.column, fmt.Sprintf(format, args...)})
}

// place is where a node begins. The parser gives a block mapping the position of
// its first colon, where people look for its first key.
func place(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return place(m.Values[0].Key)
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		return place(v.Key)
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return position{max(1, tk.Position.Line), max(1, tk.Position.Column)}
	}
	return position{1, 1}
}

// value decodes n into v, which must be settable.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	if d.depth++; d.depth > maxDepth {
		d.fail(n, path, "values lie more than %d deep in each other; the language needs 5", maxDepth)
		d.depth--
		return
	}
	defer func() { d.depth-- }()
	d.at[path] = place(n)
	if n = d.plain(n, path); n == nil {
		return
	}
	target := v.Addr().Interface()
	if y, ok := target.(yamlValue); ok {
		y.decodeYAML(d, n, path)
		return
	}
	if t, ok := target.(encoding.TextUnmarshaler); ok {
		d.text(n, path, func(s string) error { return t.UnmarshalText([]byte(s)) })
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.text(n, path, func(s string) error { v.SetString(s); return nil })
	case reflect.Bool:
		d.text(n, path, func(s string) error {
			if s != "true" && s != "false" {
				return fmt.Errorf("%q is neither true nor false; write one of them", s)
			}
			v.SetBool(s == "true")
			return nil
		})
	case reflect.Int:
		d.text(n, path, func(s string) error {
			i, err := strconv.Atoi(s)
			if err != nil {
				return fmt.Errorf("%q is no whole number; use digits only", s)
			}
			v.SetInt(int64(i))
			return nil
		})
	case reflect.Slice:
		d.list(n, path, func(item ast.Node, itemPath string) {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			d.value(item, v.Index(v.Len()-1), itemPath)
		})
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		d.mapping(n, path, func(key string, _, val ast.Node, valPath string) {
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(val, e, valPath)
			v.SetMapIndex(reflect.ValueOf(key), e)
		})
	case reflect.Struct:
		d.structure(n, v, path)
	default:
		panic("scenario: no decoding of " + v.Type().String()) // a field of this package
	}
}

// plain takes off what may stand around a value, and refuses it: a scenario says
// each thing where it is used. nil when nothing is left.
func (d *decoder) plain(n ast.Node, path string) ast.Node {
	for range maxDepth {
		switch v := n.(type) {
		case *ast.AnchorNode:
			d.fail(n, path, "anchors are not part of the language; write the value out where it is used")
			n = v.Value
		case *ast.TagNode:
			d.fail(n, path, "tags such as %s are not part of the language; leave it out", v.GetToken().Value)
			n = v.Value
		case *ast.AliasNode:
			d.fail(n, path, "aliases are not part of the language; write the value out here")
			return nil
		case nil:
			return nil
		default:
			return n
		}
	}
	return nil
}

// text hands the text of a scalar to set, and reports its error at the scalar.
func (d *decoder) text(n ast.Node, path string, set func(string) error) {
	var s string
	switch v := n.(type) {
	case *ast.NullNode:
		d.fail(n, path, "%s has no value; write one or leave the key out", lastKey(path))
		return
	case *ast.MappingNode, *ast.MappingValueNode:
		d.fail(n, path, "%s is one value, not a map; write it behind the colon", lastKey(path))
		return
	case *ast.SequenceNode:
		d.fail(n, path, "%s is one value, not a list; write it without [ ] or -", lastKey(path))
		return
	case *ast.LiteralNode:
		s = strings.TrimSuffix(v.Value.Value, "\n")
	case *ast.StringNode:
		s = v.Value
	default:
		s = n.GetToken().Value // numbers and booleans as they were written
	}
	if err := set(s); err != nil {
		d.fail(n, path, "%v", err)
	}
}

// list calls each with the items of a sequence.
func (d *decoder) list(n ast.Node, path string, each func(item ast.Node, path string)) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, path, "%s is a list; write %s: [ ... ] or one - item a line", lastKey(path), lastKey(path))
		return
	}
	for i, item := range seq.Values {
		each(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

// mapping calls each with the pairs of a mapping, after the keys are known to be
// plain and different.
func (d *decoder) mapping(n ast.Node, path string, each func(key string, k, val ast.Node, path string)) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		d.fail(n, path, "%s is a map; write %s: {key: value}", lastKey(path), lastKey(path))
		return
	}
	first := make(map[string]position)
	for _, pair := range pairs {
		key, ok := pair.Key.(ast.Node), true
		var name string
		switch k := key.(type) {
		case *ast.StringNode:
			name = k.Value
		case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
			name = k.GetToken().Value
		default:
			ok = false
		}
		if !ok {
			d.fail(key, path, "only plain words are keys; write key: value")
			continue
		}
		if p, again := first[name]; again {
			d.fail(key, path, "the key %q is here twice, first at %s; remove one", name, p)
			continue
		}
		first[name] = place(key)
		each(name, key, pair.Value, join(path, name))
	}
}

// structure decodes a mapping into the fields of a struct.
func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	given := make(map[string]bool)
	what := ""
	if path != "" {
		what = " in " + lastKey(path)
	}
	if _, null := n.(*ast.NullNode); !null {
		d.mapping(n, path, func(key string, k, val ast.Node, valPath string) {
			given[key] = true
			i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
			if i < 0 {
				d.fail(k, path, "unknown key %q%s%s", key, what, orOneOf(key, names(fields), "use one of "+strings.Join(names(fields), ", ")))
				return
			}
			d.value(val, v.FieldByIndex(fields[i].index), valPath)
		})
		if !isMap(n) {
			return
		}
	}
	for _, f := range fields {
		if f.required && !given[f.name] {
			d.fail(n, path, "the key %q is missing%s; add %s: %s", f.name, what, f.name, f.example)
		}
	}
}

func isMap(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// field is a key of the language, from a struct's tags: json is its name, wsrig
// has "required" for a key without a default, eg an example, doc its reference.
type field struct {
	name     string
	index    []int
	required bool
	example  string
	doc      string
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields = append(fields, field{name, f.Index, f.Tag.Get("wsrig") == "required", f.Tag.Get("eg"), f.Tag.Get("doc")})
	}
	return fields
}

func names(fields []field) []string {
	var list []string
	for _, f := range fields {
		list = append(list, f.name)
	}
	return list
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// lastKey names a path for people: "steps[1].connect.clients" is clients, and
// "proxies[2]" proxies.
func lastKey(path string) string {
	if path == "" {
		return "the scenario"
	}
	key := path[strings.LastIndex(path, ".")+1:]
	key, _, _ = strings.Cut(key, "[")
	return key
}
