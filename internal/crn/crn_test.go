package crn

import (
	"strings"
	"testing"
)

func TestParseReadsAllTenSegments(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     CRN
	}{
		{"a profile", "crn:v1:bluemix:public:iam-identity::a/0123456789abcdef0123456789abcdef::profile:Profile-1",
			CRN{"v1", "bluemix", "public", "iam-identity", "", "a/0123456789abcdef0123456789abcdef", "", "profile", "Profile-1"}},
		{"colons and slashes in the resource", "crn:v1:staging:public:cos:global:a/1:guid:object:a/b:c",
			CRN{"v1", "staging", "public", "cos", "global", "a/1", "guid", "object", "a/b:c"}},
		{"a role", "crn:v1:bluemix:public:iam::::role:Viewer", CRN{"v1", "bluemix", "public", "iam", "", "", "", "role", "Viewer"}},
	} {
		got, err := Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("%s: Parse gave %+v, %v", c.name, got, err)
		}
		if got.String() != c.in {
			t.Errorf("%s: String gave %q", c.name, got.String())
		}
	}
}

func TestParseRefusesWhatIsNoCRN(t *testing.T) {
	for _, in := range []string{"", "crn", "crn:v1:a:b:c", "crn:v2:bluemix:public:iam::::role:Viewer",
		"urn:v1:bluemix:public:iam::::role:Viewer", "crn:v1:bluemix:public:iam::::role:View\ner",
		"crn:v1:bluemix:public:iam::::role:" + strings.Repeat("x", MaxLength)} {
		if c, err := Parse(in); err == nil {
			t.Errorf("Parse(%.40q) gave %+v, want an error", in, c)
		}
	}
}

func TestAccountReadsAccountScopesOnly(t *testing.T) {
	for scope, want := range map[string]string{"a/123": "123", "o/123": "", "": ""} {
		if got := (CRN{Scope: scope}).Account(); got != want {
			t.Errorf("scope %q: account %q, want %q", scope, got, want)
		}
	}
}

func FuzzParsePrintsWhatItRead(f *testing.F) {
	f.Add("crn:v1:bluemix:public:iam::::role:Viewer")
	f.Add("crn:v1:::::::::")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err == nil && c.String() != s {
			t.Errorf("Parse(%q).String() = %q", s, c.String())
		}
	})
}
