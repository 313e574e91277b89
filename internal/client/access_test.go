package client_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/client"
)

func policy() client.Policy {
	return client.Policy{
		Type: "access", Description: "d",
		Subject:  []client.Attribute{{Key: "iam_id", Value: "IBMid-1"}},
		Roles:    []client.PolicyRole{{ID: "crn:r"}},
		Resource: []client.Attribute{{Key: "accountId", Operator: "stringEquals", Value: "a"}, {Key: "x", Operator: "stringMatch", Value: "y*"}},
		Tags:     []client.Attribute{{Key: "env", Operator: "stringEquals", Value: "dev"}},
	}
}

func TestAPolicyIsReadAsItIsWrittenInBothSchemas(t *testing.T) {
	for _, schema := range []string{"v1", "v2"} {
		p := policy()
		if schema == "v2" {
			p.Subject[0].Operator = "stringEquals"
			p.Rule, p.Pattern = json.RawMessage(`{"key":"k"}`), "time"
		}
		text, err := json.Marshal(p.Body(schema))
		if err != nil {
			t.Fatal(err)
		}
		var again client.Policy
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("%s (-want +got):\n%s", schema, diff)
		}
	}
}

func TestAPolicyInTheWordsOfEachSchema(t *testing.T) {
	for schema, want := range map[string]string{
		"v1": `{"type":"access","description":"d","subjects":[{"attributes":[{"name":"iam_id","value":"IBMid-1"}]}],"roles":[{"role_id":"crn:r"}],
			"resources":[{"attributes":[{"name":"accountId","operator":"stringEquals","value":"a"},{"name":"x","operator":"stringMatch","value":"y*"}],"tags":[{"name":"env","operator":"stringEquals","value":"dev"}]}]}`,
		"v2": `{"type":"access","description":"d","subject":{"attributes":[{"key":"iam_id","operator":"stringEquals","value":"IBMid-1"}]},"control":{"grant":{"roles":[{"role_id":"crn:r"}]}},
			"resource":{"attributes":[{"key":"accountId","operator":"stringEquals","value":"a"},{"key":"x","operator":"stringMatch","value":"y*"}],"tags":[{"key":"env","operator":"stringEquals","value":"dev"}]}}`,
	} {
		p := policy()
		text, err := json.Marshal(p.Body(schema))
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		if json.Unmarshal(text, &got) != nil || json.Unmarshal([]byte(want), &wanted) != nil {
			t.Fatalf("no JSON: %s", text)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", schema, diff)
		}
	}
}

func TestAPolicysAddressTellsItsSchema(t *testing.T) {
	for href, want := range map[string]string{"https://h/v1/policies/1": "v1", "https://h/v2/policies/1": "v2", "": "v1"} {
		if got := (&client.Policy{Href: href}).Schema(); got != want {
			t.Errorf("%q: %s", href, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"type":"access","subjects":[{"attributes":[{"name":"iam_id","value":"a"}]}],"roles":[{"role_id":"r"}],"resources":[{}]}`)
	f.Add(`{"subject":{"attributes":[{"key":"k","operator":"stringExists","value":true}]},"control":{"grant":{"roles":null}},"rule":{"a":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var p client.Policy
		if json.Unmarshal([]byte(text), &p) != nil {
			return
		}
		first, err := json.Marshal(p.Body("v2"))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var again client.Policy
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := json.Marshal(again.Body("v2"))
		if err != nil || string(first) != string(second) {
			t.Errorf("%q is not stable:\n%s\n%s, %v", text, first, second, err)
		}
	})
}
