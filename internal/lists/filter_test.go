package lists_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/lists"
)

var attributes = []string{"name", "description", "locked"}

func object(name, description, locked string) func(string) string {
	return func(a string) string {
		return map[string]string{"name": name, "description": description, "locked": locked}[a]
	}
}

func TestFilterSelects(t *testing.T) {
	key := object(`Go "one" \ two`, "for CI", "true")
	bare := object("go", "", "false")
	tests := []struct {
		text      string
		key, bare bool
	}{
		{``, true, true},
		{`name co "Go"`, true, true},
		{`name co "GO"`, true, true}, // texts are not case-exact
		{`name eq "go"`, false, true},
		{`name ne "go"`, true, false},
		{`name sw "go "`, true, false},
		{`name ew "two"`, true, false},
		{`name co "\"one\" \\"`, true, false},
		{`name gt "go"`, true, false},
		{`name ge "go"`, true, true},
		{`name lt "goa"`, true, true},
		{`name le "go"`, false, true},
		{`description pr`, true, false},
		{`not (description pr)`, false, true},
		{`locked eq true`, true, false},
		{`locked eq false or description eq "for ci"`, true, true},
		{`name co "go" and locked eq "false"`, false, true},
		{`name eq "x" and locked eq true or name eq "go"`, false, true}, // and binds tighter
		{`name eq "x" AND (locked eq true OR name eq "go")`, false, false},
		{`not (name eq "go" or locked eq true)`, false, false},
		{`NAME Co "go"`, true, true},
		{` ( ( name co "go" ) ) `, true, true},
		{`not (not (name eq "go"))`, false, true},
	}
	for _, tt := range tests {
		f, err := lists.ParseFilter(tt.text, attributes)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := f.Match(key); got != tt.key {
			t.Errorf("%s on the key: got %v, want %v", tt.text, got, tt.key)
		}
		if got := f.Match(bare); got != tt.bare {
			t.Errorf("%s on the bare object: got %v, want %v", tt.text, got, tt.bare)
		}
	}
}

func TestWrongFilterIsABadRequestThatNamesTheParameter(t *testing.T) {
	deep := strings.Repeat("(", 100) + `name eq "a"` + strings.Repeat(")", 100)
	many := strings.TrimSuffix(strings.Repeat(`name eq "a" or `, 40), " or ")
	nots := strings.Repeat("not (", 50) + `name pr` + strings.Repeat(")", 50)
	for _, text := range []string{
		`name`, `name co`, `name co Go`, `name co "Go`, `name is "Go"`, `secret eq "a"`, `"Go" eq name`,
		`name eq "a" name eq "b"`, `name eq "a" and`, `and name eq "a"`, `(name eq "a"`, `name eq "a")`, `()`,
		`not name eq "a"`, `name eq "a\n"`, "name eq \"a\x01\"", `name eq "\`, `name eq "a" & name eq "b"`, `name eq "a" andname eq "b"`,
		`name eq 5`, `name eq null`, `=`, "name eq \"\xff\"", strings.Repeat(`name eq "a" or `, 200) + `name pr`, deep, many, nots,
	} {
		f, err := lists.ParseFilter(text, attributes)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Field != "filter" {
			t.Errorf("%.60s: got %v, %v", text, f, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`name co "Go"`, `not (name eq "a\"b" or locked eq true) and description pr`, `((name ew "\\"))`, `name co "ä`,
		`(`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := lists.ParseFilter(text, attributes)
		if err != nil {
			if e := fault.Of(err); e.Kind != fault.Invalid || e.Field != "filter" {
				t.Fatalf("error without field: %v", err)
			}
			return
		}
		printed := parsed.String()
		again, err := lists.ParseFilter(printed, attributes)
		if len(printed) > lists.MaxFilterLength {
			return // printing adds parentheses
		}
		if err != nil || again.String() != printed {
			t.Fatalf("%q prints as %q, which reads as %q, %v", text, printed, again.String(), err)
		}
		o := object("Go", "x", "true")
		if parsed.Match(o) != again.Match(o) {
			t.Fatalf("%q and %q select differently", text, printed)
		}
	})
}
