// Package scenario is the language of scenarios and what runs them: File (as
// written), Plan (every default filled in), the steps, and the Runner.
package scenario
