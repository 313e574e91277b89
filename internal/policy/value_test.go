package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/policy"
)

func TestValuesComeBackAsTheyWereSent(t *testing.T) {
	for _, text := range []string{
		`"a"`, `""`, `"<&>"`, `"{{*}}"`, `true`, `false`, `12`, `-1.50`, `1e3`, `null`, `[]`, `["a","b"]`, `["",1,true]`,
	} {
		var v policy.Value
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := v.MarshalJSON()
		if err != nil || string(got) != text {
			t.Errorf("%s came back as %s, %v", text, got, err)
		}
	}
}

func TestStringsAreReadAsJSONReadsThem(t *testing.T) {
	for _, raw := range []string{`""`, `"a"`, `"a b"`, `"a\"b"`, `"\\"`, `"\u0041"`, `"é"`, `"\ud800"`, "\"\xff\"", "\"a\tb\"", "\"\x7f\"",
		`"a`, `"`, `"a"b"`} {
		var want string
		wantErr := json.Unmarshal([]byte(raw), &want)
		var v policy.Value
		err := json.Unmarshal([]byte(raw), &v)
		if (err != nil) != (wantErr != nil) || err == nil && (v.Kind != policy.KindString || v.Text != want) {
			t.Errorf("%s is read as %+v, error %v; want %q, error %v", raw, v, err, want, wantErr)
		}
	}
}

func TestObjectsAndNestedListsAreNoValues(t *testing.T) {
	for _, text := range []string{`{}`, `{"a":1}`, `[[]]`, `[null]`, `[{}]`, `["a",["b"]]`} {
		var v policy.Value
		if err := json.Unmarshal([]byte(text), &v); !errors.Is(err, policy.ErrValueType) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMalformedValuesAreErrors(t *testing.T) {
	for _, text := range []string{``, `"a`, `tru`, `-`, `[`, `["a]`, `01`} {
		var v policy.Value
		if err := v.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%q was accepted as %+v", text, v)
		}
	}
	if got := (policy.Value{}).Strings(); got != nil {
		t.Errorf("an absent value has the texts %q", got)
	}
	if got, err := (policy.Value{Kind: policy.KindList}).MarshalJSON(); err != nil || string(got) != "[]" {
		t.Errorf("an empty list is %s, %v", got, err)
	}
	if _, err := (policy.Value{Kind: 99}).MarshalJSON(); err == nil {
		t.Error("a value of no kind was written")
	}
	if _, err := (policy.Value{Kind: policy.KindList, List: []policy.Value{{Kind: 99}}}).MarshalJSON(); err == nil {
		t.Error("a list with a value of no kind was written")
	}
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{`"a"`, `[1,"b",true]`, `null`, `{}`, `[[1]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v, w policy.Value
		if json.Unmarshal(data, &v) != nil {
			return
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%q was read but not written: %v", data, err)
		}
		if err := json.Unmarshal(text, &w); err != nil || !v.Equal(w) {
			t.Fatalf("%q became %+v, then %+v (%v)", data, v, w, err)
		}
	})
}

func TestTimeValues(t *testing.T) {
	type parser func(string) (string, error)
	show := func(v interface{ String() string }, err error) (string, error) { return v.String(), err }
	parsers := map[string]parser{
		"time":     func(s string) (string, error) { return show(policy.ParseTimeOfDay(s)) },
		"date":     func(s string) (string, error) { return show(policy.ParseDate(s)) },
		"datetime": func(s string) (string, error) { return show(policy.ParseDateTime(s)) },
		"day":      func(s string) (string, error) { return show(policy.ParseWeekday(s)) },
	}
	for _, c := range []struct{ kind, in, want string }{
		{"time", "09:00:00+00:00", "09:00:00+00:00"},
		{"time", "23:59:59-11:30", "23:59:59-11:30"},
		{"time", "00:00:00+14:00", "00:00:00+14:00"},
		{"time", "00:00:00+14:01", ""},
		{"time", "24:00:00+00:00", ""},
		{"time", "09:60:00+00:00", ""},
		{"time", "09:00:60+00:00", ""},
		{"time", "9:00:00+00:00", ""},
		{"time", "09:00+00:00", ""},
		{"time", "09:00:00", ""},
		{"time", "09:00:00Z", ""},
		{"time", "09-00-00+00:00", ""},
		{"time", "09:00:00+0:00", ""},
		{"time", "09:00:00*00:00", ""},
		{"time", "09:00:00+00.00", ""},
		{"time", "0x:00:00+00:00", ""},
		{"time", "", ""},
		{"date", "2026-03-04+01:00", "2026-03-04+01:00"},
		{"date", "1969-12-31-05:00", "1969-12-31-05:00"},
		{"date", "2026-02-29+00:00", ""},
		{"date", "2024-02-29+00:00", "2024-02-29+00:00"},
		{"date", "2026-03-04", ""},
		{"date", "20260304+00:00", ""},
		{"datetime", "2026-03-04T09:00:00+00:00", "2026-03-04T09:00:00+00:00"},
		{"datetime", "2026-03-04T00:30:00+05:30", "2026-03-04T00:30:00+05:30"},
		{"datetime", "2026-03-04 09:00:00+00:00", ""},
		{"datetime", "2026-03-04T09:00+00:00", ""},
		{"datetime", "2026-13-04T09:00:00+00:00", ""},
		{"datetime", "2026-03-04T09:00:00", ""},
		{"datetime", "T09:00:00+00:00", ""},
		{"day", "1", "1+00:00"},
		{"day", "7+06:00", "7+06:00"},
		{"day", "3-12:00", "3-12:00"},
		{"day", "0", ""},
		{"day", "8", ""},
		{"day", "12", ""},
		{"day", "1.0", ""},
		{"day", "3+6:00", ""},
		{"day", "", ""},
	} {
		got, err := parsers[c.kind](c.in)
		if (err == nil) != (c.want != "") || err == nil && got != c.want {
			t.Errorf("%s %q: got %q, %v, want %q", c.kind, c.in, got, err, c.want)
		}
	}
}

// fuzzText feeds a parser whose values print as they are read.
func fuzzText[V interface {
	comparable
	String() string
}](f *testing.F, parse func(string) (V, error), seeds ...string) {
	for _, s := range append(seeds, "", "+00:00", "x") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parse(s)
		if err != nil {
			return
		}
		again, err := parse(v.String())
		if err != nil || again != v {
			t.Fatalf("%q was read as %v, printed and read as %v, %v", s, v, again, err)
		}
	})
}

func FuzzTimeOfDay(f *testing.F) {
	fuzzText(f, policy.ParseTimeOfDay, "09:00:00+00:00", "23:59:59-00:30")
}
func FuzzDate(f *testing.F) { fuzzText(f, policy.ParseDate, "2026-03-04+01:00", "0000-01-01+00:00") }
func FuzzDateTime(f *testing.F) {
	fuzzText(f, policy.ParseDateTime, "2026-03-04T09:00:00+00:00", "0000-01-01T00:00:00+14:00")
}
func FuzzWeekday(f *testing.F) { fuzzText(f, policy.ParseWeekday, "1", "3+06:00") }

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"**", "abc", true}, {"***", "", true},
		{"?", "", false}, {"?", "a", true}, {"?", "ab", false}, {"?*", "", false}, {"*?", "ab", true}, {"??*", "a", false},
		{"a*b*c", "abc", true}, {"a*b*c", "aXbXbXc", true}, {"a*b*c", "ab", false}, {"*ab", "aab", true}, {"*ab", "aabx", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"*a*", "bbb", false}, {"x?z*", "xyz", true}, {"x?z*", "xyyz", false},
		{"{{*}}", "*", true}, {"{{*}}", "a", false}, {"{{?}}", "?", true}, {"{{?}}", "a", false}, {"{{*}}*", "*x", true},
		{"*{{*}}", "x*", true}, {"*{{*}}", "xy", false}, {"{{x}}", "{{x}}", true}, {"{{*", "{{abc", true}, {"{*}", "{x}", true},
		{"?", "é", true}, {"?", "鍵", true}, {"??", "é", false}, {"*番", "鍵番", true}, {"é*", "é", true}, {"É", "é", false},
		{"\xff", "\xff", true}, {"\xff", "\xfe", false}, {"*\xff", "a\xff", true}, {"*\xff", "a\xfe", false}, {"?", "\xff", true},
		{"*\xff", "a\uFFFD", false}, {"*\xff?*", "a\xffb", true}, {"*\xff*", "\xe9\xff", true}, {"*\xff*", "é", false},
		{"*a?c*", "aabcab", true}, {"*a?c*", "abdabc", true}, {"*a?c*", "acbaac", true}, {"*a?c*", "ac", false}, {"*a?*?b", "aab", false},
		{"*a?*?b", "aaab", true},
		{"*??*", "é", false}, {"*??*", "éé", true}, {"*é?*鍵", "éxx鍵", true}, {"*é?*鍵", "é鍵", false}, {"a*?", "a", false},
		{"*a*?a", "aaa", true}, {"*a*?a", "aa", false},
		{"*" + strings.Repeat("?", 70) + "x*", strings.Repeat("y", 70) + "x", true},
		{"*" + strings.Repeat("?", 70) + "x*", strings.Repeat("y", 69) + "x", false},
		{"*" + strings.Repeat("a?", 600) + "b*", strings.Repeat("a", 1200) + "b", true},
		{"*" + strings.Repeat("a?", 600) + "b*", strings.Repeat("a", 1199) + "b", false},
	} {
		w := policy.ParseWildcard(c.pattern)
		if got := w.Match(c.text); got != c.want {
			t.Errorf("pattern %q, text %q: %v", c.pattern, c.text, got)
		}
	}
}

// Each of these costs a matcher that tries again at every character a minute.
func TestNoPatternIsSlow(t *testing.T) {
	const long, short = 200_000, 1_000
	text := strings.Repeat("a", long)
	began := time.Now()
	for _, pattern := range []string{
		"*" + strings.Repeat("a", short) + "b", "*" + strings.Repeat("a", short) + "b*", "*" + strings.Repeat("a?", short/2) + "b*",
		strings.Repeat("*a", short) + "b", strings.Repeat("*a?", short) + "b*", "*" + strings.Repeat("?", short) + "b*",
		strings.Repeat("*"+strings.Repeat("a", 50)+"?", 20) + "b*", "*" + strings.Repeat("é?", short/2) + "*",
		"*a?" + strings.Repeat("a", 2*short) + "b*",
	} {
		if w := policy.ParseWildcard(pattern); w.Match(text) {
			t.Fatalf("%.20s… fits", pattern)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("matching took %v", took)
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b?{{*}}", "axxbz*")
	f.Add("**?", "é")
	f.Add("{{?}}*", "?")
	f.Add("*a?c*b?*", "aaccabcbb")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 100 || len(text) > 300 {
			return
		}
		pattern, text = strings.ToValidUTF8(pattern, "x"), strings.ToValidUTF8(text, "x")
		w := policy.ParseWildcard(pattern)
		got, want := w.Match(text), wildcardExpression(pattern).MatchString(text)
		if got != want {
			t.Fatalf("pattern %q, text %q: %v, by the regular expression %v", pattern, text, got, want)
		}
	})
}

func TestClaimConditions(t *testing.T) {
	one := func(v string) []policy.Claim { return []policy.Claim{{Name: "c", Values: []string{v}}} }
	list := func(v ...string) []policy.Claim { return []policy.Claim{{Name: "c", Values: v, List: true}} }
	for _, c := range []struct {
		op     policy.ClaimOperator
		value  string
		claims []policy.Claim
		want   bool
	}{
		{policy.ClaimEquals, `"a"`, one("a"), true}, {policy.ClaimEquals, `"a"`, one("A"), false},
		{policy.ClaimEquals, `1`, one("1"), true}, {policy.ClaimEquals, `true`, one("true"), true},
		{policy.ClaimEquals, `"a"`, list("a"), true}, {policy.ClaimEquals, `"a"`, list("a", "b"), false},
		{policy.ClaimEquals, `"a"`, list(), false}, {policy.ClaimEquals, `"a"`, nil, false},
		{policy.ClaimEqualsIgnoreCase, `"a"`, one("A"), true}, {policy.ClaimEqualsIgnoreCase, `"a"`, one("b"), false},
		{policy.ClaimNotEquals, `"a"`, one("b"), true}, {policy.ClaimNotEquals, `"a"`, one("a"), false},
		{policy.ClaimNotEquals, `"a"`, one("A"), true}, {policy.ClaimNotEquals, `"a"`, list("a", "b"), true},
		{policy.ClaimNotEquals, `"a"`, nil, false},
		{policy.ClaimNotEqualsIgnoreCase, `"a"`, one("A"), false}, {policy.ClaimNotEqualsIgnoreCase, `"a"`, one("b"), true},
		{policy.ClaimNotEqualsIgnoreCase, `"a"`, list(), true},
		{policy.ClaimContains, `"b"`, one("abc"), true}, {policy.ClaimContains, `"b"`, one("ac"), false},
		{policy.ClaimContains, `"b"`, list("abc"), false}, {policy.ClaimContains, `"b"`, list("a", "b"), true},
		{policy.ClaimIn, `["a","b"]`, one("b"), true}, {policy.ClaimIn, `["a","b"]`, one("c"), false},
		{policy.ClaimIn, `["a","b"]`, list("c", "a"), true}, {policy.ClaimIn, `"a"`, one("a"), true}, {policy.ClaimIn, `[]`, one(""), false},
	} {
		test, err := policy.CompileClaim(policy.ClaimCondition{Claim: "c", Operator: c.op, Value: c.value})
		if err != nil {
			t.Errorf("%s %s: %v", c.op, c.value, err)
			continue
		}
		if got := test.Match(c.claims); got != c.want {
			t.Errorf("%s %s with %+v: %v", c.op, c.value, c.claims, got)
		}
	}
}

func TestMalformedClaimConditions(t *testing.T) {
	for _, c := range []struct {
		op    policy.ClaimOperator
		value string
		want  error
	}{
		{policy.ClaimEquals, `["Admins`, policy.ErrClaimValue}, {policy.ClaimEquals, ``, policy.ErrClaimValue},
		{policy.ClaimEquals, `"Admins`, policy.ErrClaimValue}, {policy.ClaimIn, `{Admins`, policy.ErrClaimValue},
		{policy.ClaimEquals, `["a"]`, policy.ErrClaimValue}, {policy.ClaimContains, `["a"]`, policy.ErrClaimValue},
		{policy.ClaimIn, `{"a":1}`, policy.ErrClaimValue}, {policy.ClaimIn, `null`, policy.ErrClaimValue},
		{"LIKE", `"a"`, policy.ErrClaimOperator}, {"equals", `"a"`, policy.ErrClaimOperator},
	} {
		if _, err := policy.CompileClaim(policy.ClaimCondition{Claim: "c", Operator: c.op, Value: c.value}); !errors.Is(err, c.want) {
			t.Errorf("%s %q: %v, want %v", c.op, c.value, err, c.want)
		}
	}
}

// A value means the same however often a client on the way put it between quotes.
func TestClaimConditionsMeanWhatTheirWriterMeant(t *testing.T) {
	for _, c := range []struct {
		op    policy.ClaimOperator
		value string
		holds string
	}{
		{policy.ClaimEquals, `"Admins"`, "Admins"}, {policy.ClaimEquals, `Admins`, "Admins"}, {policy.ClaimEquals, ` Admins `, "Admins"},
		{policy.ClaimEquals, `"\"Admins\""`, "Admins"}, {policy.ClaimEquals, `""Admins""`, "Admins"},
		{policy.ClaimEquals, `"true"`, "true"}, {policy.ClaimEquals, `true`, "true"}, {policy.ClaimEquals, `"7"`, "7"},
		{policy.ClaimEquals, `"[a]"`, "[a]"}, {policy.ClaimEquals, `"{'a'}"`, "{'a'}"}, {policy.ClaimEquals, `"\"a"`, `"a`},
		{policy.ClaimContains, `min`, "Admins"}, {policy.ClaimIn, `Admins`, "Admins"}, {policy.ClaimIn, `["Admins","b"]`, "Admins"},
		{policy.ClaimIn, `"[\"Admins\",\"b\"]"`, "Admins"}, {policy.ClaimIn, `"["Admins","b"]"`, "Admins"},
	} {
		test, err := policy.CompileClaim(policy.ClaimCondition{Claim: "c", Operator: c.op, Value: c.value})
		if err != nil || !test.Match([]policy.Claim{{Name: "c", Values: []string{c.holds}}}) {
			t.Errorf("%s %s does not hold for %s: %v", c.op, c.value, c.holds, err)
		}
		if err == nil && test.Match([]policy.Claim{{Name: "c", Values: []string{"other"}}}) {
			t.Errorf("%s %s holds for another value", c.op, c.value)
		}
	}
}

func FuzzClaimCondition(f *testing.F) {
	f.Add("EQUALS", `"a"`, "a")
	f.Add("IN", `["a",1]`, "1")
	f.Fuzz(func(t *testing.T, op, value, claim string) {
		test, err := policy.CompileClaim(policy.ClaimCondition{Claim: "c", Operator: policy.ClaimOperator(op), Value: value})
		if err == nil {
			test.Match([]policy.Claim{{Name: "c", Values: []string{claim}}})
			test.Match([]policy.Claim{{Name: "c", List: true}})
		}
	})
}
