// Command kagiban is the server, its administration and its client in one binary.
package main

import (
	"os"

	"github.com/kagiban/kagiban/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
