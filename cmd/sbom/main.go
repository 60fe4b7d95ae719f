// Command sbom prints what a Go binary is made of, as CycloneDX JSON.
//
//	sbom BINARY [VERSION]
package main

import (
	"fmt"
	"io"
	"os"

	"wsrig/internal/sbom"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program. It returns the exit code: 2 for a mistake in the usage, 1
// for a binary that cannot be read.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) < 1 || len(args) > 2 {
		fmt.Fprintln(stderr, "usage: sbom BINARY [VERSION]")
		return 2
	}
	version := ""
	if len(args) == 2 {
		version = args[1]
	}
	text, err := sbom.Of(args[0], version)
	if err == nil {
		_, err = stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}
