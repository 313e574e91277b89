package id

import (
	"regexp"
	"testing"
)

func TestGeneratedIDsHaveTheirDocumentedForms(t *testing.T) {
	var g Generator
	for _, c := range []struct{ name, got, form string }{
		{"API key", g.New(APIKey), `^ApiKey-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		{"account", g.Hex(16), `^[0-9a-f]{32}$`},
		{"entity tag", g.ETag(7), `^7-[0-9a-f]{32}$`},
	} {
		if !regexp.MustCompile(c.form).MatchString(c.got) {
			t.Errorf("%s: %q does not have the form %s", c.name, c.got, c.form)
		}
	}
	if first, second := g.ETag(1), g.ETag(1); first == second {
		t.Error("two entity tags of one version are equal")
	}
}

func TestIsAccountTakesOnlyLowerHex(t *testing.T) {
	for s, want := range map[string]bool{
		"0123456789abcdef0123456789abcdef":  true,
		"0123456789ABCDEF0123456789abcdef":  false,
		"0123456789abcdef0123456789abcde":   false,
		"0123456789abcdef0123456789abcdef0": false,
		"InvalidID":                         false,
	} {
		if IsAccount(s) != want {
			t.Errorf("IsAccount(%q) = %t", s, !want)
		}
	}
}

func TestOfIAMKnowsServiceIDsAndProfilesOnly(t *testing.T) {
	for in, want := range map[string]string{
		"iam-ServiceId-1": "ServiceId-1", "iam-Profile-1": "Profile-1", "IBMid-0000000000": "", "ServiceId-1": "", "iam-other": "",
	} {
		if got, ok := OfIAM(in); got != want || ok != (want != "") {
			t.Errorf("OfIAM(%q) = %q, %t", in, got, ok)
		}
	}
}
