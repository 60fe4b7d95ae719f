// Package result holds what a run produced: the versioned schema of run.json, the
// one table of metrics, histograms, and the language of checks. Everything that is
// shown, compared or exported later is derived from these values alone.
package result
