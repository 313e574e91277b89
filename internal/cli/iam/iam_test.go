package iam

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/client"
)

func TestConditionsOfARule(t *testing.T) {
	for _, tt := range []struct {
		text string
		want client.Condition
	}{
		{`claim:namespace,operator:EQUALS,value:jobs`, client.Condition{Claim: "namespace", Operator: "EQUALS", Value: `"jobs"`}},
		{`claim:groups,operator:contains,value:"a, b: c"`, client.Condition{Claim: "groups", Operator: "CONTAINS", Value: `"a, b: c"`}},
		{`claim:blue,operator:IN,value:["a","b"]`, client.Condition{Claim: "blue", Operator: "IN", Value: `["a","b"]`}},
		{`claim:crn,operator:EQUALS,value:crn:v1:x,y`, client.Condition{Claim: "crn", Operator: "EQUALS", Value: `"crn:v1:x,y"`}},
		{`claim:https://a.b/c,operator:EQUALS,value:true`, client.Condition{Claim: "https://a.b/c", Operator: "EQUALS", Value: `true`}},
		{`claim:a,operator:EQUALS,value:`, client.Condition{Claim: "a", Operator: "EQUALS", Value: `""`}},
		{text: ``}, {text: `claim:a`}, {text: `claim:a,operator:EQUALS`}, {text: `claim:,operator:EQUALS,value:a`},
		{text: `claim:a,operator:,value:a`}, {text: `operator:EQUALS,claim:a,value:a`},
	} {
		got, err := ParseCondition(tt.text)
		if (err != nil) != (tt.want == client.Condition{}) {
			t.Errorf("%s: %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func FuzzParseCondition(f *testing.F) {
	f.Add(`claim:a,operator:IN,value:["b"]`)
	f.Add(`claim:a,operator:EQUALS,value:b,value:c`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if err != nil {
			return
		}
		if c.Claim == "" || c.Operator == "" || !json.Valid([]byte(c.Value)) {
			t.Errorf("%q gave %+v", text, c)
		}
		again, err := ParseCondition("claim:" + c.Claim + ",operator:" + c.Operator + ",value:" + c.Value)
		if err != nil || again != c {
			t.Errorf("%q is not stable: %+v, then %+v, %v", text, c, again, err)
		}
	})
}

func profile(id, name, account string) client.Object[client.Profile] {
	return client.Object[client.Profile]{Value: client.Profile{ID: id, Name: name, AccountID: account}}
}

func TestChoosingAProfileToAssume(t *testing.T) {
	list := []client.Object[client.Profile]{
		profile("Profile-1", "reader", "a"), profile("Profile-2", "reader", "b"), profile("Profile-3", "writer", "b"),
	}
	for _, tt := range []struct{ wanted, id, problem string }{
		{"writer", "Profile-3", ""},
		{"Profile-2", "Profile-2", ""},
		{"Profile-9", "Profile-9", ""}, // the server says why not
		{"reader", "", "Several trusted profiles are named reader. Give the ID of one of them:\n  Profile-1 in account a\n  Profile-2 in account b"},
		{"nobody", "", "Trusted profile nobody is not among those that you may assume. List them with: kagiban iam trusted-profiles --can-assume"},
	} {
		got, err := chooseAssumable(list, tt.wanted)
		if got.Value.ID != tt.id || (err == nil) != (tt.problem == "") || err != nil && err.Error() != tt.problem {
			t.Errorf("%s: %q, %v", tt.wanted, got.Value.ID, err)
		}
	}
}

func TestAKeyFileIsWholeAndPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := newKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != "old" {
		t.Errorf("the old file changed before there was a key: %q, %v", old, err)
	}
	if err := file.commit(client.APIKey{Name: "n", ID: "ApiKey-1", CreatedAt: "2026-03-01T12:00+0000", Value: "v"}); err != nil {
		t.Fatal(err)
	}
	file.discard()
	text, err := os.ReadFile(path)
	want := `{"name":"n","description":"","createdAt":"2026-03-01T12:00+0000","locked":false,"id":"ApiKey-1","apikey":"v"}`
	if err != nil || strings.Join(strings.Fields(string(text)), "") != want {
		t.Errorf("%s, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	abandoned, err := newKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	abandoned.discard()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAKeyFileThatCannotBeWrittenIsFoundOutFirst(t *testing.T) {
	if _, err := newKeyFile(filepath.Join(t.TempDir(), "no-such-folder", "key.json")); err == nil {
		t.Error("no error for a missing folder")
	}
	if _, err := newKeyFile(t.TempDir()); err == nil {
		t.Error("no error for a folder")
	}
}

func TestEverySettingIsShownUnderItsLabel(t *testing.T) {
	text := `{"account_id":"a","user_mfa":[]`
	for _, s := range accountSettings {
		text += `,"` + s.property + `":"` + s.flag + `"`
	}
	var settings client.AccountSettings
	if err := json.Unmarshal([]byte(text+"}"), &settings); err != nil {
		t.Fatal(err)
	}
	rows := settingsRows(settings)
	if len(rows) != len(accountSettings)+2 || rows[0] != [2]string{"Account ID", "a"} {
		t.Errorf("rows %v", rows)
	}
	for i, s := range accountSettings {
		if got := rows[i+1]; got != [2]string{s.label, s.flag} {
			t.Errorf("%s shows %v", s.flag, got)
		}
	}
}
