package iamidentityv1_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/api/iamidentityv1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// full gives a value with every field set, so that the golden file shows every
// property's name and JSON type.
func full(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		full(v.Index(0))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]any{"name": "text"}))
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	}
}

// Every answer, once with nothing and once with everything in it: a property
// that changes its name, its type or whether it may be absent changes what the
// official clients decode.
func TestAnswersKeepTheirForm(t *testing.T) {
	for _, answer := range []any{
		&iamidentityv1.APIKey{}, &iamidentityv1.APIKeyList{}, &iamidentityv1.ServiceID{}, &iamidentityv1.ServiceIDList{},
		&iamidentityv1.ServiceIDGroup{}, &iamidentityv1.ServiceIDGroupList{}, &iamidentityv1.TrustedProfile{},
		&iamidentityv1.TrustedProfileList{},
		&iamidentityv1.ClaimRule{}, &iamidentityv1.ClaimRuleList{}, &iamidentityv1.Link{}, &iamidentityv1.LinkList{},
		&iamidentityv1.ProfileIdentity{}, &iamidentityv1.ProfileIdentities{}, &iamidentityv1.AccountSettings{},
		&iamidentityv1.EffectiveSettings{},
		&iamidentityv1.Preference{}, &iamidentityv1.PreferenceList{}, &iamidentityv1.Limits{},
		&iamidentityv1.ReportReference{}, &iamidentityv1.Report{}, &iamidentityv1.MFAEnrollments{}, &iamidentityv1.MFAReport{},
		&iamidentityv1.IdP{}, &iamidentityv1.IdPList{}, &iamidentityv1.Consumers{}, &iamidentityv1.IdPTest{}, &iamidentityv1.IdPTestTrigger{},
		&iamidentityv1.LoginSettings{}, &iamidentityv1.IdPSetting{}, &iamidentityv1.IdPSettingList{},
	} {
		name := strings.ToLower(reflect.TypeOf(answer).Elem().Name())
		empty := marshal(t, answer)
		full(reflect.ValueOf(answer).Elem())
		got := "{\n\"empty\": " + empty + ",\n\"full\": " + marshal(t, answer) + "\n}\n"
		path := filepath.Join("testdata", "golden", name+".json")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
