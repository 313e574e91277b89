// Package hush keeps libraries from printing while a program starts: the metrics
// library tells on stderr, before any function of ours runs, that a kernel has no
// pressure information, and every command would begin with that line. Importing
// hush discards the standard log; whoever imports it sets its output again. It
// works because packages are initialised in the order of their paths as soon as
// what they import is, and this one imports nothing but the log: it must stay so.
package hush

import (
	"io"
	"log"
)

func init() { log.SetOutput(io.Discard) }
