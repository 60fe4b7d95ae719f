package haproxy

import (
	"regexp"
	"strings"
)

// truth is what the rig can say of a condition about a handshake.
type truth int8

const (
	no truth = iota
	maybe
	yes
)

func (t truth) not() truth { return yes - t }

// handshake is the request that conditions are judged for: a WebSocket upgrade of a
// path. With path "" only conditions on the headers of an upgrade are judged.
type handshake struct{ path string }

// routes lists the backends that a frontend may send the handshake to, each with
// the line that sends it there. Rules come in file order, first match wins, then
// default_backend (manual, "use_backend"); a listen section ends at itself.
func (f *file) routes(s *section, h handshake) []route {
	var found []route
	for _, l := range s.lines {
		if !l.starts("use_backend") || len(l.words) < 2 {
			continue
		}
		t := s.judge(l, 2, h)
		if t == no {
			continue
		}
		if to := f.find(l.arg(1), "backend", "listen"); to != nil {
			found = append(found, route{to, l})
		} else if strings.Contains(l.arg(1), "%[") {
			// The name is computed for each request: it may be any backend.
			t = maybe
			for _, to := range f.sections {
				if to.kind == "backend" {
					found = append(found, route{to, l})
				}
			}
		}
		if t == yes {
			return found
		}
	}
	if l := s.last("default_backend"); l != nil {
		if to := f.find(l.arg(1), "backend", "listen"); to != nil {
			return append(found, route{to, l})
		}
	}
	if s.kind == "listen" {
		found = append(found, route{s, s.head})
	}
	return found
}

// route is one way out of a frontend.
type route struct {
	to *section
	by *line
}

// judge evaluates the condition of a line, whose first words are the rule itself.
// A line without one is always true.
func (s *section) judge(l *line, from int, h handshake) truth {
	for i := from; i < len(l.words); i++ {
		switch l.words[i].text {
		case "if":
			return s.condition(l.words[i+1:], h)
		case "unless":
			return s.condition(l.words[i+1:], h).not()
		}
	}
	return yes
}

// condition is a disjunction ("or", "||") of conjunctions of possibly negated acl
// names and { anonymous } ones (manual, section 7.2).
func (s *section) condition(words []word, h handshake) truth {
	result, term, negate := no, yes, false
	for i := 0; i < len(words); i++ {
		w := words[i].text
		switch w {
		case "or", "||":
			result, term = max(result, term), yes
			continue
		case "!":
			negate = !negate
			continue
		}
		for strings.HasPrefix(w, "!") {
			negate, w = !negate, w[1:]
		}
		var t truth
		if w == "{" {
			end := i + 1
			for end < len(words) && words[end].text != "}" {
				end++
			}
			t = match(words[i+1:end], h)
			i = end
		} else {
			t = s.named(w, h)
		}
		if negate {
			t, negate = t.not(), false
		}
		term = min(term, t)
	}
	return max(result, term)
}

// named judges an acl by its name; lines of one name are alternatives.
func (s *section) named(name string, h handshake) truth {
	switch name {
	case "TRUE", "METH_GET", "HTTP", "HTTP_1.1", "HTTP_URL_ABS":
		return map[bool]truth{true: no, false: yes}[name == "HTTP_URL_ABS"]
	case "FALSE", "METH_POST", "METH_HEAD", "METH_OPTIONS", "METH_CONNECT", "HTTP_1.0", "HTTP_CONTENT":
		return no
	}
	found, result := false, no
	for d := s; d != nil; d = d.base {
		for _, l := range d.lines {
			if l.starts("acl", name) {
				found, result = true, max(result, match(l.words[2:], h))
			}
		}
	}
	if !found {
		return maybe
	}
	return result
}

// upgradeHeaders are what every WebSocket handshake carries (RFC 6455, section 4.1),
// in the letters that browsers and the rig's clients use.
var upgradeHeaders = map[string]string{"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}

// match judges one criterion with its flags and patterns: path and its forms, the
// headers of a handshake, the method. Anything else may be either.
func match(words []word, h handshake) truth {
	if len(words) == 0 {
		return maybe
	}
	fetch, how := words[0].text, "str"
	fetch, converters, _ := strings.Cut(fetch, ",")
	fold := false
	switch converters {
	case "":
	case "lower":
		fold = true
	default:
		return maybe
	}
	var patterns []string
	for i := 1; i < len(words); i++ {
		switch w := words[i].text; {
		case w == "-i":
			fold = true
		case w == "-m" && i+1 < len(words):
			i++
			how = words[i].text
		case w == "--":
		case strings.HasPrefix(w, "-"):
			return maybe // a pattern file, or a flag that changes what is compared
		default:
			patterns = append(patterns, w)
		}
	}
	subject, known := "", false
	if name, form, ok := strings.Cut(fetch, "_"); ok && (name == "path" || name == "hdr") {
		form, arg, hasArg := strings.Cut(form, "(")
		how, fetch = form, name
		if hasArg {
			fetch += "(" + arg
		}
	}
	switch {
	case fetch == "path" && h.path != "":
		subject, known = h.path, true
	case fetch == "method":
		subject, known = "GET", true
	case strings.HasSuffix(fetch, ")"):
		name := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(fetch, ")"), "req."), "hdr(")
		subject, known = upgradeHeaders[strings.ToLower(strings.TrimPrefix(name, "fhdr("))]
	}
	if !known {
		return maybe
	}
	return compare(subject, how, patterns, fold)
}

// compare applies a matching method of the manual's section 7.1 to known text.
func compare(subject, how string, patterns []string, fold bool) truth {
	if how == "found" {
		return yes
	}
	for _, p := range patterns {
		if fold && how != "reg" {
			p, subject = strings.ToLower(p), strings.ToLower(subject)
		}
		hit := false
		switch how {
		case "str":
			hit = subject == p
		case "beg":
			hit = strings.HasPrefix(subject, p)
		case "end":
			hit = strings.HasSuffix(subject, p)
		case "sub":
			hit = strings.Contains(subject, p)
		case "dir":
			hit = strings.Contains("/"+strings.Trim(subject, "/")+"/", "/"+strings.Trim(p, "/")+"/")
		case "reg":
			if fold {
				p = "(?i)" + p
			}
			re, err := regexp.Compile(p)
			if err != nil {
				return maybe
			}
			hit = re.MatchString(subject)
		default:
			return maybe
		}
		if hit {
			return yes
		}
	}
	return no
}
