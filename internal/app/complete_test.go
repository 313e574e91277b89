package app

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// demands are what the types of the official SDK demand of answers.
type demands struct {
	Operations map[string]string            `json:"operations"`
	Types      map[string]map[string]string `json:"types"`
}

// missing gives the paths of fields that a value of a type lacks, or has as null.
func (d *demands) missing(path, of string, v any) (out []string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			out = append(out, d.missing(path+"[]", of, item)...)
		}
	case map[string]any:
		for field, inner := range d.Types[of] {
			name, required := strings.CutPrefix(field, "!")
			switch value := v[name]; {
			case value != nil && inner != "":
				out = append(out, d.missing(path+"."+name, inner, value)...)
			case value == nil && required:
				out = append(out, path+"."+name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unset are fields of types that the SDK marks required and that answers leave out
// on purpose.
var unset = map[string]string{
	"iamidentityv1.APIKey !apikey": "the value is shown once; Terraform looks that it is not there afterwards",
}

// followed are fields of types that the SDK calls optional and that Terraform's
// provider follows without asking.
var followed = map[string][]string{
	"iamidentityv1.APIKey":                           {"created_at", "modified_at"},
	"iamidentityv1.APIKeyList":                       {"apikeys"},
	"enterprisemanagementv1.Enterprise":              {"created_at", "created_by", "updated_at", "updated_by"},
	"enterprisemanagementv1.AccountGroup":            {"created_at", "created_by", "updated_at", "updated_by"},
	"enterprisemanagementv1.Account":                 {"created_at", "created_by", "updated_at", "updated_by"},
	"iampolicymanagementv1.V2PolicyTemplateMetaData": {"href", "state"},
	"iampolicymanagementv1.PolicyTemplateMetaData":   {"href", "state"},
}

// Clients follow what the SDK's types mark required without asking whether it is
// there: no answer leaves it out, or has null for it.
func TestAnswersHoldWhatTheSDKRequires(t *testing.T) {
	raw, err := os.ReadFile("testdata/required.json")
	if err != nil {
		t.Fatal(err)
	}
	var d demands
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	for of, fields := range followed {
		if d.Types[of] == nil {
			t.Fatalf("no answer holds the type %s", of)
		}
		for _, name := range fields {
			d.Types[of]["!"+name] = d.Types[of][name]
		}
	}
	for field := range unset {
		of, name, _ := strings.Cut(field, " ")
		delete(d.Types[of], name)
	}
	w := newWalker(t)
	n := 0
	for _, op := range w.operations() {
		of, known := d.Operations[strings.ReplaceAll(key(op), "_", "")]
		if !known || !op.Built {
			continue
		}
		got := w.send(w.owner+"@"+w.acct, w.build(op))
		if got.body == "" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(got.body), &v); err != nil || got.status > 299 {
			t.Errorf("%s: %d %v in %s", key(op), got.status, err, got.body)
			continue
		}
		n++
		for _, path := range d.missing("", of, v) {
			t.Errorf("%s: %s is not in the answer", key(op), path)
		}
	}
	t.Logf("%d answers", n)
}
