package sdk

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/IBM/platform-services-go-sdk/enterprisemanagementv1"
	"github.com/IBM/platform-services-go-sdk/iamaccessgroupsv2"
	"github.com/IBM/platform-services-go-sdk/iamidentityv1"
	"github.com/IBM/platform-services-go-sdk/iampolicymanagementv1"
)

var rewrite = flag.Bool("rewrite", false, "write the list of required fields anew")

// requiredFields is read by the tests of the server, which cannot import the SDK.
const requiredFields = "../../internal/app/testdata/required.json"

// shape is what a type of the SDK demands of an answer: fields by name, "!"
// before those that must be there, with the name of their type, "" for values.
type shape map[string]string

// The list says what the SDK says: it is derived from it.
func TestRequiredFieldsAreThoseOfTheSDK(t *testing.T) {
	list := struct {
		Operations map[string]string `json:"operations"` // without "_", to the type of their answer
		Types      map[string]shape  `json:"types"`
	}{map[string]string{}, map[string]shape{}}
	for family, client := range map[string]any{
		"iamidentityv1": &iamidentityv1.IamIdentityV1{}, "iampolicymanagementv1": &iampolicymanagementv1.IamPolicyManagementV1{},
		"iamaccessgroupsv2":      &iamaccessgroupsv2.IamAccessGroupsV2{},
		"enterprisemanagementv1": &enterprisemanagementv1.EnterpriseManagementV1{},
	} {
		of := reflect.TypeOf(client)
		for i := range of.NumMethod() {
			m := of.Method(i)
			if strings.HasSuffix(m.Name, "WithContext") || m.Type.NumOut() != 3 || m.Type.Out(0).Kind() != reflect.Pointer ||
				m.Type.Out(0).Elem().Kind() != reflect.Struct {
				continue
			}
			list.Operations[family+"."+strings.ToLower(m.Name)] = note(list.Types, family, m.Type.Out(0))
		}
	}
	got, err := json.MarshalIndent(list, "", " ")
	must(t, err, "writing the list")
	got = append(got, '\n')
	if *rewrite {
		must(t, os.WriteFile(requiredFields, got, 0o644), "writing the list")
		return
	}
	want, err := os.ReadFile(requiredFields)
	must(t, err, "reading the list")
	if string(got) != string(want) {
		t.Errorf("%s is not what the SDK says: go test -run RequiredFields . -rewrite", requiredFields)
	}
}

var tagName = regexp.MustCompile(`^[^,]+`)

// note adds a type with all that it holds, and gives its name; "" for values.
func note(types map[string]shape, family string, of reflect.Type) string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.HasSuffix(of.PkgPath(), "/"+family) {
		return ""
	}
	name := family + "." + of.Name()
	if _, known := types[name]; known {
		return name
	}
	out := shape{}
	types[name] = out
	for i := range of.NumField() {
		f := of.Field(i)
		field := tagName.FindString(f.Tag.Get("json"))
		inner := ""
		if field != "" && field != "-" {
			inner = note(types, family, f.Type)
		}
		switch {
		case field == "" || field == "-":
		case strings.Contains(f.Tag.Get("validate"), "required"):
			out["!"+field] = inner
		case inner != "":
			out[field] = inner
		}
	}
	return name
}
