package document_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
)

const v1Text = `{
  "type": "access",
  "description": "readers",
  "subjects": [{"attributes": [{"name": "iam_id", "value": "IBMid-1"}]}],
  "roles": [{"role_id": "crn:v1:bluemix:public:iam::::role:Viewer"}],
  "resources": [{
    "attributes": [
      {"name": "serviceType", "value": "service"},
      {"name": "region", "value": "us-*", "operator": "stringMatch"},
      {"name": "accountId", "value": "acct", "operator": "stringEquals"}
    ],
    "tags": [{"name": "project", "value": "prototype", "operator": "stringEquals"}]
  }]
}`

const v2Text = `{
  "type": "access",
  "description": "readers",
  "subject": {"attributes": [{"key": "iam_id", "operator": "stringEquals", "value": "IBMid-1"}]},
  "control": {"grant": {"roles": [{"role_id": "crn:v1:bluemix:public:iam::::role:Viewer"}]}},
  "resource": {
    "attributes": [
      {"key": "serviceName", "operator": "stringEqualsAnyOf", "value": ["a", "b"]},
      {"key": "path", "operator": "stringExists", "value": true},
      {"key": "accountId", "operator": "stringEquals", "value": "acct"}
    ],
    "tags": [{"key": "project", "operator": "stringMatch", "value": "<&>*"}]
  },
  "rule": {
    "operator": "or",
    "conditions": [
      {"key": "{{environment.attributes.day_of_week}}", "operator": "dayOfWeekAnyOf", "value": ["1+00:00", 2]},
      {"operator": "and", "conditions": [
        {"key": "{{resource.attributes.prefix}}", "operator": "stringEquals", "value": ""},
        {"key": "{{resource.attributes.delimiter}}", "operator": "stringEqualsAnyOf", "value": ["/", ""]}
      ]}
    ]
  },
  "pattern": "time-based-conditions:weekly"
}`

// sameJSON compares two JSON texts by content; the order within arrays counts.
func sameJSON(t *testing.T, want string, got any) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestV1DocumentsComeBackAsTheyWereSent(t *testing.T) {
	p, err := document.DecodeV1([]byte(v1Text))
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != policy.V1 || p.State != policy.StateActive || len(p.Resource) != 3 || p.Resource[0].Operator != "" ||
		p.Tags[0].Key != "project" {
		t.Errorf("policy is %+v", p)
	}
	sameJSON(t, v1Text, document.ToV1(p))
}

func TestV2DocumentsComeBackAsTheyWereSent(t *testing.T) {
	p, err := document.DecodeV2([]byte(v2Text))
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != policy.V2 || p.Rule == nil || len(p.Rule.Conditions) != 2 || p.RoleIDs[0] == "" {
		t.Errorf("policy is %+v", p)
	}
	sameJSON(t, v2Text, document.ToV2(p))
	for _, small := range []string{`{"type":"access"}`, `{"type":"access","resource":{"attributes":[]}}`,
		`{"type":"authorization","control":{"grant":{"roles":[]}}}`} {
		p, err := document.DecodeV2([]byte(small))
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, small, document.ToV2(p))
	}
}

func TestAV1PolicyIsReadableAsV2(t *testing.T) {
	p, err := document.DecodeV1([]byte(v1Text))
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, `{
	  "type": "access", "description": "readers",
	  "subject": {"attributes": [{"key": "iam_id", "operator": "stringEquals", "value": "IBMid-1"}]},
	  "control": {"grant": {"roles": [{"role_id": "crn:v1:bluemix:public:iam::::role:Viewer"}]}},
	  "resource": {
	    "attributes": [
	      {"key": "serviceType", "operator": "stringEquals", "value": "service"},
	      {"key": "region", "operator": "stringMatch", "value": "us-*"},
	      {"key": "accountId", "operator": "stringEquals", "value": "acct"}
	    ],
	    "tags": [{"key": "project", "operator": "stringEquals", "value": "prototype"}]
	  }
	}`, document.ToV2(p))
}

func TestAV2PolicyIsAPlaceholderInV1(t *testing.T) {
	p, err := document.DecodeV2([]byte(v2Text))
	if err != nil {
		t.Fatal(err)
	}
	p.Account = "acct"
	d := document.Placeholder(p)
	if d.Type != "access" || !strings.HasPrefix(d.Description, "**") || !strings.HasSuffix(d.Description, "**") {
		t.Errorf("description is %q", d.Description)
	}
	if a := d.Subjects[0].Attributes; len(a) != 1 || a[0].Name != "iam_id" || a[0].Value.Text != "unsupported version" {
		t.Errorf("subject is %+v", a)
	}
	if r := d.Roles; len(r) != 1 || !strings.HasSuffix(r[0].RoleID, ":UnsupportedVersion") || r[0].DisplayName != "Unsupported Version" ||
		r[0].Description != d.Description {
		t.Errorf("roles are %+v", r)
	}
	if a := d.Resources[0].Attributes; len(a) != 1 || a[0].Name != "accountId" || a[0].Value.Text != "acct" {
		t.Errorf("resource is %+v", a)
	}
}

func TestWhatAnswersAddIsTakenBack(t *testing.T) {
	around := `{"id":"x","href":"x","state":"deleted","created_at":"x","created_by_id":"x","last_modified_at":"x","last_modified_by_id":"x",
		"last_permit_at":"x","last_permit_frequency":3,"template":{"id":"x"},"version":"v1.0",`
	one, err := document.DecodeV1([]byte(strings.Replace(v1Text, "{", around, 1)))
	if err != nil || one.ID != "" || one.State != policy.StateActive {
		t.Errorf("%+v, %v", one, err)
	}
	two, err := document.DecodeV2([]byte(strings.Replace(v2Text, "{", around, 1)))
	if err != nil || two.ID != "" || two.State != policy.StateActive {
		t.Errorf("%+v, %v", two, err)
	}
}

func TestAnEmptyListOfTagsIsNotNone(t *testing.T) {
	text := `{"type":"access","subjects":[{"attributes":[]}],"roles":[],"resources":[{"attributes":[],"tags":[]}]}`
	p, err := document.DecodeV1([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, text, document.ToV1(p))
}

func TestFaultsOfDocuments(t *testing.T) {
	v1 := func(data []byte) error { _, err := document.DecodeV1(data); return err }
	v2 := func(data []byte) error { _, err := document.DecodeV2(data); return err }
	for _, c := range []struct {
		name, text, field string
		decode            func([]byte) error
		kind              policy.ProblemKind
	}{
		{"no JSON", `{"type":`, "body", v1, policy.ProblemValue},
		{"an array", `[]`, "body", v2, policy.ProblemValue},
		{"a number as type", `{"type":1}`, "type", v2, policy.ProblemValue},
		{"an object as roles", `{"type":"access","roles":{}}`, "roles", v1, policy.ProblemValue},
		{"an object as value", `{"subject":{"attributes":[{"key":"a","operator":"b","value":{}}]}}`, "body", v2, policy.ProblemValue},
		{"no subject", `{"type":"access","subjects":[],"resources":[{}]}`, "subjects", v1, policy.ProblemCount},
		{"no resource", `{"type":"access","subjects":[{}]}`, "resources", v1, policy.ProblemCount},
		{"text behind", `{"type":"access"} {}`, "body", v2, policy.ProblemValue},
		{"a rule in the v1 schema", `{"subjects":[{}],"resources":[{}],"rule":{}}`, "rule", v1, policy.ProblemUnknown},
		{"a pattern in the v1 schema", `{"subjects":[{}],"resources":[{}],"pattern":"x"}`, "pattern", v1, policy.ProblemUnknown},
		{"v2 parts in the v1 schema", `{"subjects":[{}],"resources":[{}],"subject":{}}`, "subject", v1, policy.ProblemUnknown},
		{"v1 parts in the v2 schema", `{"roles":[]}`, "roles", v2, policy.ProblemUnknown},
		{"an effect", `{"type":"access","effect":"deny"}`, "effect", v2, policy.ProblemUnknown},
		{"another control", `{"control":{"deny":{}}}`, "deny", v2, policy.ProblemUnknown},
		{"a negated rule", `{"rule":{"operator":"and","not":true,"conditions":[]}}`, "not", v2, policy.ProblemUnknown},
		{"an attribute by another word", `{"subject":{"attributes":[{"name":"iam_id"}]}}`, "name", v2, policy.ProblemUnknown},
		{"a long unknown name", `{"` + strings.Repeat("é", 60) + `":1}`, strings.Repeat("é", 50) + "…", v1, policy.ProblemUnknown},
		{"two subjects", `{"type":"access","subjects":[{},{}],"resources":[{}]}`, "subjects", v1, policy.ProblemCount},
	} {
		var problems policy.Problems
		err := c.decode([]byte(c.text))
		if !errors.As(err, &problems) || problems[0].Field != c.field || problems[0].Kind != c.kind {
			t.Errorf("%s: %v, want %s at %s", c.name, err, c.kind, c.field)
		}
	}
}

// fuzzCatalog is enough of a catalogue for every branch of validation.
func fuzzCatalog(f *testing.F) *policy.Catalog {
	f.Helper()
	viewer := policy.Role{CRN: "crn:v1:bluemix:public:iam::::role:Viewer", Name: "Viewer", Kind: policy.RoleSystem, Actions: []string{"a.b.c"}}
	c, err := policy.CompileCatalog([]policy.Service{
		{Name: "a", Actions: []policy.Action{{ID: "a.b.c"}}, Roles: []policy.Role{viewer}},
		{Name: "i", Group: "IAM", Platform: true, Parent: "a", Roles: []policy.Role{viewer}},
		{Name: policy.AllServices, Roles: []policy.Role{viewer}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// exercise validates a policy, builds an account of it and asks everything.
// Whatever the document says, none of it may panic.
func exercise(c *policy.Catalog, p *policy.Policy) {
	p.ID, p.Account = "p", "acct"
	_ = policy.Validate(p, c)
	_ = policy.ValidateTemplate(p, c)
	empty := policy.NewSnapshot(policy.Input{Account: "acct", State: policy.AccountActive, Catalog: c, PublicAccess: true})
	s := empty.With(policy.PutPolicy(p))
	for _, sub := range []policy.Subject{
		{Kind: policy.KindUser, IAMID: "IBMid-1", Account: "acct"},
		{Kind: policy.KindService, Account: "acct", Source: policy.Source{ServiceName: "a", AccountID: "acct"}},
	} {
		for _, res := range []policy.Resource{{Account: "acct", ServiceName: "a", Tags: []string{"project:prototype"}}, policy.ScopeOf(p)} {
			r := policy.Request{Subject: sub, Action: "a.b.c", Resource: res}
			policy.Explain(s, &r)
			policy.RolesOn(s, &r)
			policy.ActionsOn(s, &r)
			policy.WhoCan(s, r.Action, r.Resource, r.Environment)
		}
	}
	policy.Diff(empty, s)
}

func FuzzV1(f *testing.F) {
	c := fuzzCatalog(f)
	f.Add([]byte(v1Text))
	f.Add([]byte(`{"type":"authorization","subjects":[{"attributes":[{"name":"serviceName","value":"a"}]}],"roles":[],"resources":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := document.DecodeV1(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(document.ToV1(p))
		if err != nil {
			t.Fatal(err)
		}
		again, err := document.DecodeV1(text)
		if err != nil || !reflect.DeepEqual(emptyAsNil(p), emptyAsNil(again)) {
			t.Fatalf("%s was written as %s and read as %+v, %v", data, text, again, err)
		}
		exercise(c, p)
	})
}

func FuzzV2(f *testing.F) {
	c := fuzzCatalog(f)
	f.Add([]byte(v2Text))
	f.Add([]byte(`{"type":"access","rule":{"key":"{{environment.attributes.current_time}}","operator":"timeLessThan","value":"09:00:00+00:00"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := document.DecodeV2(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(document.ToV2(p))
		if err != nil {
			t.Fatal(err)
		}
		again, err := document.DecodeV2(text)
		if err != nil {
			t.Fatalf("%s was written as %s: %v", data, text, err)
		}
		if twice, err := json.Marshal(document.ToV2(again)); err != nil || string(twice) != string(text) {
			t.Fatalf("%s was written as %s, then as %s", data, text, twice)
		}
		exercise(c, p)
	})
}

// emptyAsNil forgets the difference between an empty list and none, which
// documents may leave out, and between an operator that is empty and none.
func emptyAsNil(p *policy.Policy) policy.Policy {
	c := *p
	for _, list := range []*[]policy.Attribute{&c.Subject, &c.Resource, &c.Tags} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if len(c.RoleIDs) == 0 {
		c.RoleIDs = nil
	}
	return c
}
