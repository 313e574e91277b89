package iam

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsageIsToldInTheServersOrder(t *testing.T) {
	var l limits
	text := `{"zeta":{"limit":5,"count":0},"alpha":{"limit":7},"rules_per_group":{"limit":9,"groups":[{"group_id":"b","count":2},{"group_id":"a","count":1}]}}`
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"Zeta", "account", "0", "5"}, {"Rules Per Group", "b", "2", "9"}, {"Rules Per Group", "a", "1", "9"}}
	if diff := cmp.Diff(want, usageRows(l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(l) != 3 {
		t.Errorf("%d limits", len(l))
	}
}

func FuzzLimits(f *testing.F) {
	f.Add(`{"a":{"limit":1,"count":2},"b":{"limit":3,"list":[{"x_id":"i","count":4}]}}`)
	f.Add(`{"a":[],"b":null,"c":{"limit":"x"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var l limits
		if json.Unmarshal([]byte(text), &l) != nil {
			return
		}
		for _, row := range usageRows(l) {
			if len(row) != 4 {
				t.Errorf("%q: %v", text, row)
			}
		}
	})
}
