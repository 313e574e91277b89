package enterprise

import (
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/client"
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
	node := func(path string) account {
		return account{Value: client.EnterpriseAccount{Path: path}}
	}
	list := []account{
		node("enterprise:e/account-group:g"), node("enterprise:e/account-group:g/account-group:h"),
		node("enterprise:e"), node("enterprise:e/account-group:gg"), node("enterprise:e/account-group:h"),
	}
	if got := below(list, "g"); len(got) != 2 {
		t.Errorf("kept %+v", got)
	}
}
