package templatewire

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/template"
)

func TestVersionsAreNumbersOrTexts(t *testing.T) {
	for raw, want := range map[string]int{`1`: 1, `"2"`: 2, `"x"`: -1, `1.5`: -1, `{}`: -1, `""`: -1} {
		var w Whole
		if err := json.Unmarshal([]byte(raw), &w); (err == nil) != (want > 0) || want > 0 && int(w) != want {
			t.Errorf("%s is read as %d, %v", raw, w, err)
		}
	}
	for text, want := range map[string]int{"3": 3, "0": 0, "-1": 0, "x": 0, "": 0, "1.0": 0} {
		n := Number(text)
		if err := n.Check(); n.Int() != want || (err == nil) != (want > 0) || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("version %q is %d, %v", text, n.Int(), err)
		}
	}
}

func TestReferencesComeBackAsTheyWereSent(t *testing.T) {
	if got, err := Sent(nil); got != nil || err != nil {
		t.Errorf("nothing sent: %v, %v", got, err)
	}
	got, err := Sent([]Reference{{"a", "1"}, {"b", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if back := Shown(&template.Version{References: got}); len(back) != 2 || back[0] != (Reference{"a", "1"}) ||
		back[1] != (Reference{"b", "2"}) {
		t.Errorf("came back as %v", back)
	}
	for _, bad := range []Reference{{"", "1"}, {"a", ""}, {"a", "0"}, {"a", "x"}} {
		if _, err := Sent([]Reference{bad}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
