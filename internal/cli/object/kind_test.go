package object

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

type thing struct{ ID, Name, About string }

func things(list ...thing) []client.Object[thing] {
	out := make([]client.Object[thing], len(list))
	for i, v := range list {
		out[i].Value = v
	}
	return out
}

var kind = Kind[thing]{Noun: "odd thing", Verb: "thing", Key: func(t thing) (string, string) { return t.ID, t.Name }}

func TestANameOrAnIDPicksOneObject(t *testing.T) {
	list := things(thing{ID: "1", Name: "x"}, thing{ID: "2", Name: "x"}, thing{ID: "3", Name: "y"}, thing{ID: "y", Name: "z"})
	for _, tt := range []struct{ wanted, id, problem string }{
		{"3", "3", ""}, {"z", "y", ""}, {"y", "y", ""}, // an ID goes before a name
		{"x", "", "Several odd things are named x. Give the ID of one of them:\n  1\n  2"},
		{"w", "", "Odd thing w was not found."},
	} {
		got, err := kind.Choose(list, tt.wanted)
		if got.Value.ID != tt.id || (err == nil) != (tt.problem == "") || err != nil && err.Error() != tt.problem {
			t.Errorf("%s: %q, %v", tt.wanted, got.Value.ID, err)
		}
	}
}

func TestAFilterLooksAtNameAndDescription(t *testing.T) {
	list := things(thing{ID: "1", Name: "Backup", About: "nightly"}, thing{ID: "2", Name: "back", About: "by hand"}, thing{ID: "3", Name: "x"})
	texts := func(v thing) (string, string) { return v.Name, v.About }
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"1", "2", "3"}}, {[]string{"-n", "BACK"}, []string{"1", "2"}}, {[]string{"-n", "back", "-d", "Night"}, []string{"1"}},
		{[]string{"-d", "?"}, []string{}},
	} {
		var f Filter
		set := pflag.NewFlagSet("verb", pflag.ContinueOnError)
		f.Flags(set, true)
		if err := set.Parse(tt.args); err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, v := range client.Values(Keep(f, list, texts)) {
			got = append(got, v.ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.args, diff)
		}
		if again := FilterOf(&shell.Call{Flags: set}); again != f {
			t.Errorf("%v: read back as %+v", tt.args, again)
		}
	}
}

func TestVerbsOfObjectsThatBelongToAnotherNameItFirst(t *testing.T) {
	owned := kind
	owned.Owner = &Owner{Noun: "access group", Use: "GROUP", Path: func(context.Context, *shell.Session, string) (string, error) {
		return "",
			nil
	}}
	for _, tt := range []struct {
		verb       shell.Verb
		use, short string
		args       int
	}{
		{kind.List(shell.Verb{}, nil), "things", "List odd things", 0},
		{kind.Show(), "thing NAME|ID", "Show an odd thing", 1},
		{kind.Delete(shell.Verb{}, " and more", nil), "thing-delete NAME|ID", "Delete an odd thing and more", 1},
		{owned.List(shell.Verb{}, nil), "things GROUP", "List the odd things of an access group", 1},
		{owned.Show(), "thing GROUP ODD_THING_NAME|ODD_THING_ID", "Show an odd thing of an access group", 2},
		{owned.Update(shell.Verb{}, "PUT", nil, nil), "thing-update GROUP ODD_THING_NAME|ODD_THING_ID",
			"Change an odd thing of an access group", 2},
		{owned.Create(shell.Verb{Short: "Own words"}, nil), "thing-create GROUP NAME", "Own words", 2},
	} {
		if tt.verb.Use != tt.use || tt.verb.Short != tt.short {
			t.Errorf("%q: %q", tt.verb.Use, tt.verb.Short)
		}
		if args := make([]string, tt.args); tt.verb.Args(nil, args) != nil {
			t.Errorf("%s does not take %d arguments", tt.use, tt.args)
		}
	}
}

func TestWhatAnObjectHadCompletesAChange(t *testing.T) {
	body := map[string]any{"a": 1}
	Complete(body, map[string]any{"a": 2, "b": 3})
	if diff := cmp.Diff(map[string]any{"a": 1, "b": 3}, body); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
