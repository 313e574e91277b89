package term

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/kagiban/kagiban/internal/valid"
)

// gap separates two columns.
const gap = "   "

// Table prints columns, left-aligned, three spaces apart, without trailing
// spaces. A cell of several lines becomes several rows.
func (t *Terminal) Table(header []string, rows [][]string) {
	t.print(header, rows, func(cell string) string { return t.paint(bold, cell) }, nil)
}

// Details prints keys and values below an empty line, which stands for the
// header of this two-column table.
func (t *Terminal) Details(rows [][2]string) {
	t.Blank()
	t.Pairs(rows)
}

// Pairs prints keys and values without the empty line.
func (t *Terminal) Pairs(rows [][2]string) {
	table := make([][]string, len(rows))
	for i, r := range rows {
		table[i] = []string{r[0], r[1]}
	}
	t.print(nil, table, nil, func(cell string) string { return t.paint(bold, cell) })
}

// print lays the cells out and paints header cells and first columns, whose
// colour codes must not count as width.
func (t *Terminal) print(header []string, rows [][]string, paintHeader, paintFirst func(string) string) {
	lines := splitRows(rows)
	if header != nil {
		lines = append([][]string{header}, lines...)
	}
	widths := columnWidths(lines)
	for i, line := range lines {
		var b strings.Builder
		pad := 0
		for col, cell := range line {
			if cell != "" || col == 0 {
				b.WriteString(strings.Repeat(" ", pad))
				pad = 0
			}
			pad += widths[col] - Width(cell) + len(gap)
			switch {
			case header != nil && i == 0 && paintHeader != nil:
				cell = paintHeader(cell)
			case col == 0 && paintFirst != nil:
				cell = paintFirst(cell)
			}
			b.WriteString(cell)
		}
		writeLine(t.Out, b.String())
	}
}

// A broken pipe shows when the command ends; a table has no use for the error.
func writeLine(w io.Writer, line string) { fmt.Fprintln(w, line) }

// splitRows turns cells of several lines into several rows of clean cells.
func splitRows(rows [][]string) [][]string {
	var out [][]string
	for _, row := range rows {
		height := 1
		cells := make([][]string, len(row))
		for col, cell := range row {
			cells[col] = strings.Split(strings.TrimRight(cell, "\r\n"), "\n")
			height = max(height, len(cells[col]))
		}
		for y := range height {
			line := make([]string, len(row))
			for col := range row {
				if y < len(cells[col]) {
					line[col] = Clean(strings.TrimRight(cells[col][y], "\r"))
				}
			}
			out = append(out, line)
		}
	}
	return out
}

func columnWidths(lines [][]string) []int {
	var widths []int
	for _, line := range lines {
		for col, cell := range line {
			if col == len(widths) {
				widths = append(widths, 0)
			}
			widths[col] = max(widths[col], Width(cell))
		}
	}
	return widths
}

// Width is the number of columns that a terminal needs for s: two for an East
// Asian wide character, none for a combining one.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func isWide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// Clean replaces control characters, so that a name stored by somebody else
// cannot move the cursor or forge a line on the reader's terminal.
func Clean(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case isControl(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// Escape writes control characters but line breaks and tabs as JSON does
// ("\u009b"): for JSON, which means the same then, and for what has no columns.
func Escape(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Escaping gives a writer that escapes what it is given, whole texts at a time.
func Escaping(w io.Writer) io.Writer { return escaping{w} }

type escaping struct{ to io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	_, err := io.WriteString(e.to, Escape(string(p)))
	return len(p), err
}

// isControl finds C0 and C1 controls, the separators of lines and paragraphs and
// the marks that reorder text.
func isControl(r rune) bool { return valid.Control(r) }

// cleanLines cleans a message of our own that may hold several lines.
func cleanLines(message string) string {
	lines := strings.Split(message, "\n")
	for i := range lines {
		lines[i] = Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
