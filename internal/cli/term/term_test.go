package term_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/valid"
)

func newTerm(input string) (*term.Terminal, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &term.Terminal{In: strings.NewReader(input), Out: &out, Err: &err}, &out, &err
}

func lines(text ...string) string { return strings.Join(text, "\n") + "\n" }

func TestATable(t *testing.T) {
	t0, out, _ := newTerm("")
	t0.Table([]string{"Name", "ID", "Description"}, [][]string{
		{"short", "1", "one\ntwo"},
		{"a longer name", "22", ""},
		{"", "3", "no name"},
	})
	want := lines(
		"Name            ID   Description",
		"short           1    one",
		"                     two",
		"a longer name   22",
		"                3    no name",
	)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWideCharactersKeepColumnsStraight(t *testing.T) {
	t0, out, _ := newTerm("")
	t0.Table([]string{"Name", "ID"}, [][]string{{"鍵番", "1"}, {"abcd", "2"}, {"e\u0301a", "3"}})
	want := lines(
		"Name   ID",
		"鍵番   1", // two columns each
		"abcd   2",
		"e\u0301a     3", // the accent takes none
	)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDetailsBeginWithAnEmptyHeader(t *testing.T) {
	t0, out, _ := newTerm("")
	t0.Details([][2]string{{"ID", "ServiceId-1"}, {"Description", ""}, {"Locked", "false"}})
	want := lines("", "ID            ServiceId-1", "Description", "Locked        false")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuietHidesWhatIsNotResult(t *testing.T) {
	t0, out, errs := newTerm("")
	t0.Quiet = true
	t0.Progress("Doing")
	t0.OK()
	t0.Say("result")
	t0.Fail("It broke.")
	if out.String() != "result\n" || errs.String() != "It broke.\n\n" {
		t.Errorf("out %q, err %q", out, errs)
	}
}

func TestProgressAndFailure(t *testing.T) {
	t0, out, errs := newTerm("")
	t0.Progress("Creating %s", "x")
	t0.OK()
	t0.Fail("It broke.\nTry again.")
	if out.String() != "Creating x...\nOK\n" || errs.String() != "FAILED\nIt broke.\nTry again.\n\n" {
		t.Errorf("out %q, err %q", out, errs)
	}
}

func TestColoursOnlyWhenAskedFor(t *testing.T) {
	for _, color := range []bool{false, true} {
		t0, out, errs := newTerm("")
		t0.Color = color
		t0.OK()
		t0.Fail("x")
		t0.Table([]string{"Name", "ID"}, [][]string{{"a", "b"}})
		t0.Details([][2]string{{"ID", "1"}})
		if got := strings.Contains(out.String()+errs.String(), "\x1b["); got != color {
			t.Errorf("colour %v: %q %q", color, out, errs)
		}
		if color && !strings.Contains(out.String(), "\x1b[1mName\x1b[0m   \x1b[1mID\x1b[0m\na      b\n") {
			t.Errorf("codes must not count as width: %q", out)
		}
	}
}

func TestStoredTextCannotDriveTheTerminal(t *testing.T) {
	const evil = "\x1b[2Jx\u009b1m\nOK\r\t\u202ey"
	t0, out, errs := newTerm("")
	t0.Table([]string{"Name"}, [][]string{{evil}})
	t0.Details([][2]string{{"Name", evil}})
	t0.Say("%s", evil)
	t0.Progress("%s", evil)
	t0.Fail(evil)
	t0.Warn("%s", evil)
	for _, r := range out.String() + errs.String() {
		if r != '\n' && (r < ' ' || r == '\u009b' || r == '\u202e') {
			t.Fatalf("control character %U came through: %q %q", r, out, errs)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[0mb\n\u2066")
	f.Fuzz(func(t *testing.T, s string) {
		got := term.Clean(s)
		if strings.ContainsAny(got, "\x1b\n\r\t\x00\u009b\u202e") {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		if term.Clean(got) != got {
			t.Errorf("Clean is not stable for %q", s)
		}
		if term.Width(got) < 0 {
			t.Error("negative width")
		}
	})
}

func TestJSONForTerminalsIsTheSameJSON(t *testing.T) {
	evil := "a\x1b[2Jb\u009b2Jc\u202ed\u2028e\x7ff\ng\th"
	var out bytes.Buffer
	to := &term.Terminal{Out: &out}
	for name, print := range map[string]func(any) error{"indented": to.JSON, "in a line": to.JSONLine} {
		out.Reset()
		if err := print(map[string]string{"name": evil}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), valid.Control) {
			t.Errorf("%s: %q", name, out.String())
		}
		var back map[string]string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["name"] != evil {
			t.Errorf("%s: %q, %v", name, back["name"], err)
		}
	}
	out.Reset()
	if n, err := term.Escaping(&out).Write([]byte(evil)); n != len(evil) || err != nil ||
		strings.ContainsAny(out.String(), "\x1b\u009b\u202e\x7f") {
		t.Errorf("%q", out.String())
	}
}

func TestJSONIsIndentedAndUnescaped(t *testing.T) {
	t0, out, _ := newTerm("")
	if err := t0.JSON([]map[string]string{{"name": "<a&b>"}}); err != nil {
		t.Fatal(err)
	}
	if want := "[\n  {\n    \"name\": \"<a&b>\"\n  }\n]\n"; out.String() != want {
		t.Errorf("got %q", out)
	}
}

func TestOnlyYesIsYes(t *testing.T) {
	for input, want := range map[string]bool{
		"y\n": true, "YES\n": true, " yes \r\n": true, "y": true,
		"n\n": false, "\n": false, "": false, "yep\n": false, "no y\n": false,
	} {
		t0, out, errs := newTerm(input)
		got, err := t0.Ask("Really delete %s?", "x")
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", input, got, err)
		}
		if !strings.HasPrefix(errs.String(), "Really delete x? [y/N] > ") || out.Len() > 0 {
			t.Errorf("asked %q and printed %q", errs, out)
		}
	}
}

func TestAQuestionCanBeInterrupted(t *testing.T) {
	in, typist := io.Pipe() // nobody types
	defer typist.Close()
	done := make(chan struct{})
	close(done)
	t0 := &term.Terminal{In: in, Out: io.Discard, Err: io.Discard, Done: done}
	if yes, err := t0.Ask("Really?"); yes || !errors.Is(err, term.ErrInterrupted) {
		t.Errorf("%v, %v", yes, err)
	}
}

func TestQuestionsShareTheirInput(t *testing.T) {
	t0, _, _ := newTerm("ada\nsecret word\n")
	user, err := t0.Prompt("User name>")
	if err != nil {
		t.Fatal(err)
	}
	password, err := t0.Secret("Password>")
	if err != nil || user != "ada" || password != "secret word" {
		t.Errorf("got %q, %q, %v", user, password, err)
	}
}
