package iamaccessgroupsv2_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/store"
)

// found makes the account the root of an enterprise, where templates live.
func found(s *apitest.Server) *enterprise.Enterprise {
	ent := &enterprise.Enterprise{Meta: store.Meta{Account: acct, ID: "ffffffffffffffffffffffffffffffff", Name: "Enterprise"},
		State: account.Active}
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return enterprise.Enterprises.Create(ctx, tx, ent, store.Event{})
	})
	return ent
}

// Clients follow the href of whatever shows a version to the template.
func TestATemplateNamesItselfWhicheverVersionIsShown(t *testing.T) {
	s := serve(t)
	found(s)
	s.Grant(member, "TemplateAdministrator", "service_group_id=IAM")
	body := m{"name": "auditors", "account_id": acct, "group": m{"name": "Auditors"}}
	made := s.Do(member, "POST", "/v1/group_templates", body).Want(201)
	path := "/v1/group_templates/" + made.Text("id")
	next := s.Do(member, "POST", path+"/versions", body).Want(201)
	list := "/v1/group_templates?account_id=" + acct
	for _, shown := range []struct {
		at string
		in *apitest.Answer
	}{
		{"href", made},
		{"href", next},
		{"href", s.Do(member, "PUT", path+"/versions/2", body, "If-Match: "+next.ETag()).Want(201)},
		{"href", s.Do(member, "GET", path, nil).Want(200)},
		{"href", s.Do(member, "GET", path+"/versions/1", nil).Want(200)},
		{"group_templates.0.href", s.Do(member, "GET", list, nil).Want(200)},
		{"group_templates.0.href", s.Do(member, "GET", list+"&verbose=true", nil).Want(200)},
		{"group_template_versions.0.href", s.Do(member, "GET", path+"/versions", nil).Want(200)},
	} {
		if got := shown.in.Text(shown.at); !strings.HasSuffix(got, path) {
			t.Errorf("%s: %s is %q, want what ends in %s", shown.in.What, shown.at, got, path)
		}
	}
}
