// Package report turns a run into what people and machines decide by: checks and a
// verdict, tables as plain text, Markdown and pages, and plots. All of it is a pure
// function of the run, so Rebuild makes the same again from run.json alone.
package report
