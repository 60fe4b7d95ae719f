package result

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// ExprError is a mistake in a check.
type ExprError struct {
	Column  int // in characters from 1, within the check
	Message string
}

// Error names the column and the mistake.
func (e *ExprError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

// maxExpr is more than a check can need, and keeps messages about one readable.
const maxExpr = 1000

var operators = []string{"==", "!=", "<", "<=", ">", ">="}

// ParseExpr parses a check. See Expr for the grammar. The error is an *ExprError.
func ParseExpr(text string) (Expr, error) {
	if len(text) > maxExpr {
		return Expr{}, &ExprError{1, fmt.Sprintf("a check of %d bytes is longer than the limit of %d; split it", len(text), maxExpr)}
	}
	p := &exprParser{words: splitExpr(text), end: len([]rune(text)) + 1}
	if len(p.words) == 0 {
		return Expr{}, &ExprError{1, "the check is empty; write METRIC OP VALUE, as in handshake.failed == 0"}
	}
	e := Expr{text: text}
	var err error
	if e.claim, err = p.comparison(); err != nil {
		return Expr{}, err
	}
	switch w := p.next(); w.text {
	case "":
		return e, nil
	case "when":
	case "and", "or", "&&", "||":
		return Expr{}, p.fail(w, "%q joins only the conditions after when; write two checks", w.text)
	default:
		return Expr{}, p.fail(w, "%q is left over; a check is METRIC OP VALUE [when METRIC OP VALUE]", w.text)
	}
	for {
		g, err := p.comparison()
		if err != nil {
			return Expr{}, err
		}
		e.guards = append(e.guards, g)
		switch w := p.next(); w.text {
		case "":
			return e, nil
		case "and":
		default:
			return Expr{}, p.fail(w, "%q is left over; join conditions with and", w.text)
		}
	}
}

type exprWord struct {
	text   string
	column int
}

// splitExpr cuts text into operators and words.
func splitExpr(text string) []exprWord {
	var words []exprWord
	runes := []rune(text)
	isOp := func(r rune) bool { return strings.ContainsRune("=!<>&|", r) }
	for i := 0; i < len(runes); {
		if unicode.IsSpace(runes[i]) {
			i++
			continue
		}
		start, op := i, isOp(runes[i])
		for i < len(runes) && !unicode.IsSpace(runes[i]) && isOp(runes[i]) == op {
			i++
		}
		words = append(words, exprWord{string(runes[start:i]), start + 1})
	}
	return words
}

type exprParser struct {
	words []exprWord
	end   int // column behind the text
}

// next takes a word; behind the last one its text is "".
func (p *exprParser) next() exprWord {
	if len(p.words) == 0 {
		return exprWord{"", p.end}
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *exprParser) fail(w exprWord, format string, args ...any) error {
	return &ExprError{w.column, fmt.Sprintf(format, args...)}
}

func (p *exprParser) comparison() (comparison, error) {
	w := p.next()
	if w.text == "" {
		return comparison{}, p.fail(w, "a metric is missing here; write METRIC OP VALUE")
	}
	def, err := Lookup(w.text)
	if err != nil {
		return comparison{}, p.fail(w, "%v", err)
	}
	c := comparison{metric: w.text, unit: def.Unit}
	op := p.next()
	switch {
	case slices.Contains(operators, op.text):
		c.op = op.text
	case op.text == "within":
		c.op = "within"
		if err := p.tolerance(&c); err != nil {
			return c, err
		}
	case op.text == "=":
		return c, p.fail(op, "= compares nothing; write ==")
	case op.text == "":
		return c, p.fail(op, "an operator and a value are missing after %s; write %s == %s", c.metric, c.metric, ValueUnits[c.unit])
	default:
		return c, p.fail(op, "%q is no operator; use one of %s, or within TOLERANCE of", op.text, strings.Join(operators, " "))
	}
	return c, p.operand(&c)
}

// tolerance parses "10% of" or "300ms of".
func (p *exprParser) tolerance(c *comparison) error {
	w := p.next()
	if w.text == "" {
		return p.fail(w, "a tolerance is missing after within; write within 10%% of VALUE")
	}
	v, unit, err := parseFigure(w.text)
	switch {
	case err != nil:
		return p.fail(w, "%v", err)
	case v < 0:
		return p.fail(w, "the tolerance %s is negative; leave the sign out", w.text)
	case unit == "%":
		c.tol, c.relative = v, true
	default:
		if c.tol, err = inUnit(c, w.text, v, unit); err != nil {
			return p.fail(w, "%v, or a percentage such as 10%%", err)
		}
	}
	if of := p.next(); of.text != "of" {
		return p.fail(of, "the word of is missing after within %s; write within %s of VALUE", w.text, w.text)
	}
	return nil
}

// operand parses a number with a unit, or a metric.
func (p *exprParser) operand(c *comparison) error {
	w := p.next()
	if w.text == "" {
		return p.fail(w, "a value is missing here; write one such as %s", ValueUnits[c.unit])
	}
	if first := w.text[0]; !strings.ContainsRune("+-.0123456789", rune(first)) {
		def, err := Lookup(w.text)
		if err != nil {
			return p.fail(w, "%q is neither a number nor a metric: %v", w.text, err)
		}
		if def.Unit != c.unit {
			return p.fail(w, "%s is in %s and %s in %s; they cannot be compared", c.metric, unitName(c.unit), w.text, unitName(def.Unit))
		}
		c.other = w.text
		return nil
	}
	v, unit, err := parseFigure(w.text)
	if err != nil {
		return p.fail(w, "%v", err)
	}
	if unit == "" && len(p.words) > 0 {
		if joined := w.text + p.words[0].text; isUnit(p.words[0].text) {
			return p.fail(w, "%s %s has a space in it; write %s", w.text, p.words[0].text, joined)
		}
	}
	if c.value, err = inUnit(c, w.text, v, unit); err != nil {
		return p.fail(w, "%v", err)
	}
	if c.unit == "count" && c.value != math.Trunc(c.value) && (c.op == "==" || c.op == "!=") {
		return p.fail(w, "%s is a count and never %s; compare with < or >, or a whole number", c.metric, w.text)
	}
	return nil
}
