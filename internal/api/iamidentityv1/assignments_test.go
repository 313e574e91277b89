package iamidentityv1_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

func TestAnAssignmentInTroubleSaysInWhichAccount(t *testing.T) {
	s := newServer(t)
	s.build()
	s.kinds[slices.IndexFunc(s.kinds,
		func(k *template.Kind) bool { return k.Name == kinds.Profile })].Decode = func(json.RawMessage) (template.Document, error) {
		return broken{}, nil
	}
	id := text(t, s.do("ann", "POST", "/v1/profile_templates", `{"name":"t","account_id":"`+acct+
		`","profile":{"name":"p"},"committed":true}`).ok(201), "id")
	child := s.child()
	made := s.do("ann", "POST", "/v1/profile_assignments", obj("template_id", id, "template_version", 1, "target_type", "Account", "target",
		child)).ok(202)
	got := s.do("ann", "GET", "/v1/profile_assignments/"+text(t, made, "id"), "")
	got.ok(200)
	var out struct {
		Status    string
		Progress  struct{ Settled, Accounts int }
		Resources []struct {
			Target  string
			Profile struct {
				Status string
				Error  struct{ StatusCode, ErrorCode, Message string } `json:"error_message"`
			}
		}
	}
	if err := json.Unmarshal(got.raw, &out); err != nil {
		t.Fatal(err)
	}
	if out.Status != "in_progress" || out.Progress.Settled != 0 || out.Progress.Accounts != 1 || len(out.Resources) != 1 {
		t.Fatalf("%s", got.raw)
	}
	r := out.Resources[0]
	if r.Target != child || r.Profile.Status != "in_progress" || r.Profile.Error.StatusCode != "500" ||
		r.Profile.Error.ErrorCode != "internal_error" {
		t.Errorf("%s", got.raw)
	}
}

// broken is a document that no account can be made to hold.
type broken struct{}

func (broken) Check(bool) error           { return nil }
func (broken) Uses() []template.Reference { return nil }
func (broken) MayGive(context.Context, asker.Asker, string, []template.Document) ([]string, error) {
	return nil, nil
}
func (broken) Apply(context.Context, *template.Lay) ([]template.Made, error) {
	return nil, errors.New("the secret of the store")
}
