package nginx

import (
	"fmt"
	"regexp"
	"strings"
)

// locate finds the location of a server block that Nginx chooses for a path (manual
// of ngx_http_core_module, "location"): an exact one; else the longest prefix, then
// the locations inside it, then, unless the prefix has ^~, the first regular
// expression that matches. nil when only the server block itself is left.
func locate(block *directive, path string) (*directive, error) {
	found, _, err := search(block, path)
	return found, err
}

// search is locate for one level. final tells that an exact name or a regular
// expression was found, which ends the search on the levels around it too; after a
// prefix their regular expressions are still tried.
func search(block *directive, path string) (found *directive, final bool, err error) {
	exact, prefix, regexps := candidates(block, path)
	if exact != nil {
		return exact, true, nil
	}
	found = prefix
	if prefix != nil {
		inner, final, err := search(prefix, path)
		if err != nil || final {
			return inner, final, err
		}
		if inner != nil {
			found = inner
		}
		if modifier, _ := locationName(prefix); modifier == "^~" {
			return found, false, nil
		}
	}
	for _, l := range regexps {
		hit, err := matches(l, path)
		if err != nil {
			return nil, false, err
		}
		if !hit {
			continue
		}
		inner, _, err := search(l, path)
		if inner == nil {
			inner = l
		}
		return inner, true, err
	}
	return found, false, nil
}

// candidates sorts a block's own locations: the exact one for path, the longest
// prefix of it, and every regular expression in file order.
func candidates(block *directive, path string) (exact, prefix *directive, regexps []*directive) {
	length := -1
	for _, l := range block.named("location") {
		modifier, name := locationName(l)
		switch modifier {
		case "=":
			if name == path {
				exact = l
			}
		case "~", "~*":
			regexps = append(regexps, l)
		case "", "^~":
			if strings.HasPrefix(path, name) && len(name) > length {
				prefix, length = l, len(name)
			}
		}
	}
	return exact, prefix, regexps
}

// locationName splits a location's arguments; the modifier may stand close to the
// name, as in location =/ws.
func locationName(l *directive) (modifier, name string) {
	if len(l.args) > 1 {
		return l.arg(0), l.arg(1)
	}
	name = l.arg(0)
	for _, m := range []string{"~*", "^~", "=", "~", "@"} {
		if rest, ok := strings.CutPrefix(name, m); ok {
			return m, rest
		}
	}
	return "", name
}

func matches(l *directive, path string) (bool, error) {
	modifier, pattern := locationName(l)
	if modifier == "~*" {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return false, fmt.Errorf("%s:%d: %s: this regular expression is beyond what can be judged outside Nginx: %w", l.in.name, l.line, l.title(), err)
	}
	return re.MatchString(path), nil
}

// redirects returns the location that makes Nginx answer path with a 301 to path/
// and not with the proxy: its name is path and a slash, it has a proxy_pass, and no
// location has path's own name (same manual, "location").
func redirects(block *directive, path string) *directive {
	var slash *directive
	for _, l := range block.named("location") {
		modifier, name := locationName(l)
		if modifier != "" && modifier != "^~" && modifier != "=" {
			continue
		}
		if name == path {
			return nil
		}
		if name == path+"/" && modifier != "=" && len(l.named("proxy_pass")) > 0 {
			slash = l
		}
	}
	return slash
}

// proxyPasses are the proxy_pass directives that hold in a location: its own and
// those of if blocks in it. They are not inherited.
func proxyPasses(l *directive) []*directive {
	found := l.named("proxy_pass")
	for _, b := range l.named("if", "limit_except") {
		found = append(found, b.named("proxy_pass")...)
	}
	return found
}

// forwardsUpgrade tells whether a location passes the Upgrade header on. A block
// with a proxy_set_header of its own inherits none from around it (manual of
// ngx_http_proxy_module, "proxy_set_header").
func forwardsUpgrade(l *directive) bool {
	for ; l != nil; l = l.outer() {
		headers := l.named("proxy_set_header")
		if len(headers) == 0 {
			continue
		}
		for _, h := range headers {
			if strings.EqualFold(h.arg(0), "Upgrade") && h.arg(1) != "" {
				return true
			}
		}
		return false
	}
	return false
}
