package result

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep the values of a run.json may nest. A run itself nests 9 deep
// and a plan 8. Indented again, a value takes room in proportion to its depth, so a
// small file of some thousand levels would otherwise grow to gigabytes.
const maxDepth = 64

// advice ends every error about a file that this program cannot have written.
const advice = "; wsrig writes no such file, so it was cut off, damaged or changed since: restore it, or repeat the run"

// guard looks at the text of a run.json before it is decoded, and refuses what
// encoding/json would take without a word or read differently from other programs:
// a name twice in one object, text that is not UTF-8, values that nest too deep
// (RFC 8259, sections 4, 8.1 and 9). Errors name the line and, where there is one,
// the JSON Pointer (RFC 6901) of the place.
func guard(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		_, err := dec.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil // an empty file, or one that has more than one value, is refused by the decoder
		case err != nil:
			return unsound(err, data, dec)
		case dec.StackDepth() > maxDepth:
			return fmt.Errorf("not a run: %s nests deeper than %d%s", place(data, dec.InputOffset(), dec.StackPointer()), maxDepth, advice)
		}
	}
}

// unsound words an error of the reader of tokens.
func unsound(err error, data []byte, dec *jsontext.Decoder) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("not a run: %w", err)
	}
	at := place(data, syntax.ByteOffset, syntax.JSONPointer)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("not a run: %s is there twice, and programs differ in which they take%s", at, advice)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not a run: %s: the file ends in the middle (unexpected end of JSON input)%s", place(data, dec.InputOffset(), dec.StackPointer()), advice)
	default:
		return fmt.Errorf("not a run: %s: %w%s", at, syntax.Err, advice)
	}
}

// place is a position in a file for people: its line, and the pointer to the value
// unless that is the whole file. A pointer holds names from the file, so it is quoted
// and kept short.
func place(data []byte, offset int64, pointer jsontext.Pointer) string {
	offset = min(max(offset, 0), int64(len(data)))
	line := fmt.Sprintf("line %d", 1+bytes.Count(data[:offset], []byte("\n")))
	if pointer == "" {
		return line
	}
	const most = 120
	text := string(pointer)
	if len(text) > most {
		cut := most
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "..."
	}
	return fmt.Sprintf("%s, at %q", line, text)
}
