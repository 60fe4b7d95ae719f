package result

import (
	_ "embed"
	"slices"
)

// runSchema is made from the Go types of this package and their comments by
// TestSchemaIsThatOfTheTypes, which also keeps it up to date.
//
//go:embed run.schema.json
var runSchema []byte

// JSONSchema returns the JSON Schema (draft 2020-12) of run.json as this build writes
// it, in UTF-8. Read takes more than that: files of older versions, and names that it
// does not know.
func JSONSchema() []byte { return slices.Clone(runSchema) }
