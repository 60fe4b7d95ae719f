// Package report turns a run into what people and machines decide by: checks and a
// verdict, tables as plain text, Markdown and pages, plots, and exports for other
// programs. All of it is a pure function of the run, so the same comes out again from
// run.json alone.
package report
