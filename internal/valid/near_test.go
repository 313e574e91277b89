package valid

import (
	"slices"
	"strings"
	"testing"
)

func TestNearestNames(t *testing.T) {
	names := []string{"kms.secrets.read", "kms.secrets.readmetadata", "kms.secrets.list", "kms.secretz.read", "cos"}
	for asked, want := range map[string][]string{
		"kms.secret.read":                        {"kms.secrets.read", "kms.secretz.read"},
		"kms.secrets.reda":                       {"kms.secrets.read", "kms.secretz.read"},
		"cso":                                    {"cos"},
		"something.else":                         nil,
		"":                                       nil,
		strings.Repeat("kms.secrets.read", 1000): nil,
	} {
		if got := Nearest(asked, names); !slices.Equal(got, want) {
			t.Errorf("%.40q: %q, want %q", asked, got, want)
		}
	}
}
