// Package term is the command line's voice: progress lines, OK and FAILED,
// tables, JSON and questions, in the layout that scripts around the official
// command line expect. It knows nothing of what it prints.
package term

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	xterm "golang.org/x/term"
)

// Terminal prints results to Out, and failures and questions to Err. It is for
// one goroutine.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Quiet hides progress lines, OK and FAILED.
	Quiet bool
	// Color allows bold headers, a green OK and a red FAILED.
	Color bool
	// Done ends a question when it is closed; nil never does.
	Done <-chan struct{}

	lines *bufio.Reader // reads In; made on the first question
}

// IsTerminal tells whether w is a terminal and not a file or pipe.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

// The escape sequences of colours.
const (
	bold  = "1"
	green = "1;32"
	red   = "1;31"
)

func (t *Terminal) paint(style, text string) string {
	if !t.Color || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// Say prints a line of the result.
func (t *Terminal) Say(format string, args ...any) {
	fmt.Fprintln(t.Out, Clean(fmt.Sprintf(format, args...)))
}

// Blank prints an empty line.
func (t *Terminal) Blank() { fmt.Fprintln(t.Out) }

// Progress announces what is being done; the dots are added.
func (t *Terminal) Progress(format string, args ...any) {
	if !t.Quiet {
		fmt.Fprintln(t.Out, Clean(fmt.Sprintf(format, args...))+"...")
	}
}

// OK says that the announced thing is done.
func (t *Terminal) OK() {
	if !t.Quiet {
		fmt.Fprintln(t.Out, t.paint(green, "OK"))
	}
}

// Fail prints FAILED, the message, and an empty line, all to Err.
func (t *Terminal) Fail(message string) {
	if !t.Quiet {
		fmt.Fprintln(t.Err, t.paint(red, "FAILED"))
	}
	fmt.Fprintf(t.Err, "%s\n\n", cleanLines(message))
}

// Warn prints a line to Err.
func (t *Terminal) Warn(format string, args ...any) {
	fmt.Fprintln(t.Err, Clean(fmt.Sprintf(format, args...)))
}

// JSON prints v indented by two spaces.
func (t *Terminal) JSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	return t.printed(b.String())
}

// JSONLine prints v in one line.
func (t *Terminal) JSONLine(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	return t.printed(string(raw) + "\n")
}

func (t *Terminal) printed(text string) error {
	if _, err := io.WriteString(t.Out, Escape(text)); err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return nil
}

// Ask puts a yes-or-no question and tells whether the answer is yes. Only "y"
// and "yes" are; no answer at all is no.
func (t *Terminal) Ask(format string, args ...any) (bool, error) {
	line, err := t.Prompt(Clean(fmt.Sprintf(format, args...)) + " [y/N] >")
	if err != nil {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// Prompt asks for a line of text. The end of the input is an empty line.
func (t *Terminal) Prompt(prompt string) (string, error) {
	fmt.Fprint(t.Err, prompt+" ")
	if t.lines == nil {
		t.lines = bufio.NewReader(t.In)
	}
	line, err := t.await(func() (string, error) { return t.lines.ReadString('\n') })
	if err != nil {
		fmt.Fprintln(t.Err) // nobody typed the end of this line
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// Secret asks for a line that is not shown while it is typed. Without a
// terminal it reads the line as Prompt does, so that scripts can pipe it.
func (t *Terminal) Secret(prompt string) (string, error) {
	f, ok := t.In.(*os.File)
	if !ok || !IsTerminal(f) {
		return t.Prompt(prompt)
	}
	fd := int(f.Fd())
	state, err := xterm.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Fprint(t.Err, prompt+" ")
	text, err := t.await(func() (string, error) {
		text, err := xterm.ReadPassword(fd)
		return string(text), err
	})
	fmt.Fprintln(t.Err)
	if errors.Is(err, ErrInterrupted) {
		_ = xterm.Restore(fd, state) // or the user's shell would stay mute
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return text, nil
}

// ErrInterrupted says that Done was closed while an answer was awaited.
var ErrInterrupted = errors.New("interrupted")

// await reads in the background, because a read cannot be called off. When
// Done is closed first, the reader is left behind: the process is about to end.
func (t *Terminal) await(read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := read()
		got <- result{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-t.Done:
		return "", ErrInterrupted
	}
}
