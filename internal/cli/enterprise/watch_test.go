package enterprise

import (
	"strings"
	"testing"
)

func TestABarShowsHowMuchIsDone(t *testing.T) {
	for _, tt := range []struct{ done, all, full int }{{0, 0, 0}, {0, 10, 0}, {1, 10_000, 0}, {5, 10, width / 2}, {9_999, 10_000, width - 1},
		{10, 10, width}, {11, 10, width}} {
		got := bar(tt.done, tt.all)
		if strings.Count(got, "#") != tt.full || len(got) != width+2 {
			t.Errorf("%d of %d: %s", tt.done, tt.all, got)
		}
	}
}

func TestOnlyNodesBelowAGroupAreKept(t *testing.T) {
	for path, want := range map[string]bool{
		"enterprise:e/account-group:g": true, "enterprise:e/account-group:g/account-group:h": true,
		"enterprise:e": false, "enterprise:e/account-group:gg": false, "enterprise:e/account-group:h": false,
	} {
		if below(path, "g") != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
