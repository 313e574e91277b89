package client_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/client"
)

func TestAssignmentsOfAllFamiliesLookAlike(t *testing.T) {
	want := client.Assignment{
		ID: "x", TemplateID: "t", TemplateVersion: "2", TargetType: "AccountGroup", Target: "g", Status: "failed", CreatedAt: "then",
		LastModifiedAt: "now",
		Outcomes:       []client.Outcome{{Account: "a", Status: "succeeded", Made: "made"}, {Account: "b", Status: "failed", Error: "no"}},
	}
	const ends = `"status":"failed","created_at":"then","last_modified_at":"now"`
	for name, text := range map[string]string{
		"identities": `{"id":"x","template_id":"t","template_version":2,"target_type":"AccountGroup","target":"g",` + ends + `,"resources":[
			{"target":"a","profile":{"status":"succeeded","resource_created":{"id":"made"}}},
			{"target":"b","profile":{"status":"failed","error_message":{"message":"no"}}}]}`,
		"policies": `{"id":"x","template":{"id":"t","version":"2"},"target":{"type":"AccountGroup","id":"g"},` + ends + `,"resources":[
			{"target":{"type":"Account","id":"a"},"action_control":{"status":"succeeded","resource_created":{"id":"made"}}},
			{"target":{"type":"Account","id":"b"},"action_control":{"status":"failed","error_message":{"message":"no"}}}]}`,
		"access groups": `{"id":"x","template_id":"t","template_version":"2","target_type":"AccountGroup","target":"g",` + ends + `,"resources":[
			{"target":"a","group":{"group":{"resource":"made","status":"succeeded","error":""},"members":[]}},
			{"target":"b","group":{"group":{"resource":"","status":"failed","error":"no"}}}]}`,
	} {
		var got client.Assignment
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzAssignment(f *testing.F) {
	f.Add(`{"target":{"type":"Account","id":"a"},"resources":[{"target":"a","role":null},{"target":7}]}`)
	f.Add(`{"resources":[{"group":{"group":{}},"target":""}],"template":{"version":"1"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var a client.Assignment
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return
		}
		if a.Running() != (a.Status == "accepted" || a.Status == "in_progress") {
			t.Errorf("%q: status %q", text, a.Status)
		}
	})
}
