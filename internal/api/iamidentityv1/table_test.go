package iamidentityv1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/httpapi"
)

func TestTableHasEveryOperationOfTheSDK(t *testing.T) {
	s := newServer(t)
	cover, err := httpapi.Cover(s.table)
	if err != nil {
		t.Fatal(err)
	}
	total, built := 0, 0
	for _, c := range cover {
		if c.Family != "iamidentityv1" {
			continue
		}
		total++
		switch c.State {
		case httpapi.StateBuilt:
			built++
		case httpapi.StateNotBuilt:
		default:
			t.Errorf("%s %s %s is %s", c.Operation, c.Method, c.Path, c.State)
		}
	}
	if total != 103 || built != 103 {
		t.Errorf("%d operations, %d of them built", total, built)
	}
}

// fill puts values into the wildcards of a path.
func fill(path string, value func(name string) string) string {
	for {
		before, rest, ok := strings.Cut(path, "{")
		if !ok {
			return path
		}
		name, after, _ := strings.Cut(rest, "}")
		path = before + value(name) + after
	}
}

// world is one object of every kind in the first account, and a valid body for
// every operation that takes one.
type world struct {
	ids    map[string]string // by wildcard; "id" depends on the path
	bodies map[string]string
	secret string // the value of a key
}

func (s *server) build() world {
	s.t.Helper()
	if s.worlds == 0 {
		s.found()
	}
	s.worlds++
	key := s.newKey("bob", "hidden key")
	svc := s.newServiceID("ann", "hidden service")
	profile := s.newProfile("ann", fmt.Sprint("hidden profile ", s.worlds))
	group := s.do("ann", "POST", "/v1/serviceid_groups", obj("name", fmt.Sprint("hidden group ", s.worlds), "account_id", acct)).ok(201)
	base := "/v1/profiles/" + text(s.t, profile, "id")
	rule := s.do("ann", "POST", base+"/rules", samlRule("hidden value")).ok(201)
	link := s.do("ann", "POST", base+"/links", obj("cr_type", "VSI", "name", "hidden link", "link", map[string]any{"crn": fakeCRN})).ok(201)
	s.do("ann", "POST", base+"/identities/user", obj("type", "user", "identifier", bob, "description", "hidden trust")).ok(200)
	s.do("ann", "PUT", "/v1/preferences/accounts/"+acct+"/identities/"+text(s.t, profile, "iam_id")+"/console/landing_page",
		obj("value_string", "/hidden")).ok(200)
	id := func(m map[string]any) string { return text(s.t, m, "id") }
	w := world{
		secret: text(s.t, key, "apikey"),
		ids: map[string]string{
			"/v1/apikeys": id(key), "/v1/serviceids": id(svc), "/v1/serviceid_groups": id(group),
			"profile_id": id(profile), "rule_id": id(rule), "link_id": id(link), "identity_type": "user", "identifier_id": bob,
			"account_id": acct, "iam_id": text(s.t, profile, "iam_id"), "service": "console", "preference_id": "landing_page",
		},
		bodies: map[string]string{
			"create_api_key": obj("name", "n", "iam_id", id(svc)), "create_service_id": obj("name", "n", "account_id", acct),
			"create_service_id_group": obj("name", "n", "account_id", acct), "create_profile": obj("name", "n", "account_id", acct),
			"update_service_id_group": obj("name", "m"), "create_claim_rule": samlRule("x"), "update_claim_rule": samlRule("x"),
			"create_link":          obj("cr_type", "VSI", "link", map[string]any{"crn": "crn:v1:bluemix:public:is:r:a/" + acct + "::instance:j"}),
			"set_profile_identity": obj("type", "user", "identifier", carl), "update_preference_on_scope_account": obj("value_string", "/x"),
		},
	}
	s.addTemplates(w)
	s.addReports(w)
	s.addIdPs(w)
	return w
}

func (w world) path(op httpapi.Operation) string {
	path := fill(op.Path, func(name string) string {
		if id := w.ids[kindOf(op, name)]; id != "" {
			return id
		}
		return "x"
	})
	switch op.ID {
	case "list_api_keys":
		return path + "?scope=account&account_id=" + acct
	case "delete_link_by_parameters":
		return path + "?type=VSI&crn=" + fakeCRN
	case "list_service_ids", "list_service_id_group", "list_profiles", "list_profile_templates", "list_account_settings_templates",
		"list_trusted_profile_assignments", "list_account_settings_assignments", "list_idps":
		return path + "?account_id=" + acct
	}
	if query := idpQueries[op.ID]; query != "" {
		return path + query
	}
	return path
}

func (w world) body(op httpapi.Operation) string {
	if op.Method != "POST" && op.Method != "PUT" && op.Method != "PATCH" {
		return ""
	}
	if b := w.bodies[op.ID]; b != "" {
		return b
	}
	return "{}"
}

// noise drops what every error answer has of its own.
func noise(raw []byte, w world, mark string) string {
	s := string(raw)
	if at := strings.Index(s, `"errors"`); at > 0 {
		s = s[at:]
	}
	for _, id := range w.ids {
		if len(id) > 20 {
			s = strings.ReplaceAll(s, id, mark)
		}
	}
	return s
}

// Every built operation, asked by the owner of another account about this
// account's objects, answers as if there were none, and changes nothing.
func TestOtherAccountsFindNothing(t *testing.T) {
	s := newServer(t)
	w := s.build()
	before := fmt.Sprint(s.lastEvent(acct).Seq)
	absent := world{bodies: map[string]string{}, ids: map[string]string{}, secret: strings.Repeat("x", 44)}
	for k, v := range w.ids {
		absent.ids[k] = v
		if prefix, uuid, ok := strings.Cut(v, "-"); ok && len(uuid) > 20 {
			if p, _, nested := strings.Cut(uuid, "-"); prefix == "iam" && nested {
				prefix += "-" + p
			}
			absent.ids[k] = prefix + "-00000000-0000-0000-0000-000000000000"
		}
	}
	nowhere := strings.Repeat("0", 32)
	for k, v := range w.bodies {
		b := strings.ReplaceAll(v, acct, nowhere)
		for name, id := range w.ids {
			if len(id) > 20 {
				b = strings.ReplaceAll(b, id, absent.ids[name])
			}
		}
		absent.bodies[k] = b
	}
	absent.ids["account_id"] = nowhere
	for _, op := range s.table {
		if !op.Built {
			continue
		}
		foreign := s.do("eve", op.Method, w.path(op), w.body(op), "If-Match: *", "IAM-ApiKey: "+w.secret)
		if foreign.status != http.StatusNotFound {
			t.Errorf("%s: status %d: %s", op.ID, foreign.status, foreign.raw)
			continue
		}
		if strings.Contains(string(foreign.raw), "hidden") {
			t.Errorf("%s tells: %s", op.ID, foreign.raw)
		}
		// What is not there at all must look the same.
		path := strings.ReplaceAll(absent.path(op), acct, nowhere)
		none := s.do("eve", op.Method, path, absent.body(op), "If-Match: *", "IAM-ApiKey: "+absent.secret)
		if a, b := noise(foreign.raw, w, "ID"), noise(none.raw, absent, "ID"); a != b {
			t.Errorf("%s tells foreign from absent:\n%s\n%s", op.ID, a, b)
		}
	}
	if after := fmt.Sprint(s.lastEvent(acct).Seq); after != before {
		t.Errorf("another account's caller wrote events %s to %s", before, after)
	}
}

// A user without permissions is refused with 403 by every operation on objects
// of the account that are not the user's own.
func TestUsersWithoutPermissionAreForbidden(t *testing.T) {
	s := newServer(t)
	w := s.build()
	for _, op := range s.table {
		if !op.Built || op.ID == "create_service_id" { // every member may
			continue
		}
		a := s.do("carl", op.Method, w.path(op), w.body(op), "If-Match: *", "IAM-ApiKey: "+w.secret)
		if a.status != http.StatusForbidden {
			t.Errorf("%s: status %d: %s", op.ID, a.status, a.raw)
		}
	}
}

func TestNobodyGetsInWithoutToken(t *testing.T) {
	s := newServer(t)
	w := s.build()
	for _, op := range s.table {
		s.do("", op.Method, w.path(op), w.body(op)).refused(401, "No authorization header found")
		s.do("forged", op.Method, w.path(op), w.body(op)).refused(401, "token")
	}
}

// The owner may do all of it: the walk above refuses for the right reason.
func TestOwnerMayDoAll(t *testing.T) {
	s := newServer(t, roomy)
	w := s.build()
	for _, op := range s.table {
		if !op.Built {
			continue
		}
		a := s.do("ann", op.Method, w.path(op), w.body(op), "If-Match: *", "IAM-ApiKey: "+w.secret)
		if a.status != op.Success {
			t.Errorf("%s: status %d, want %d: %s", op.ID, a.status, op.Success, a.raw)
		}
		if op.Method == "DELETE" || strings.HasPrefix(op.ID, "commit_") || op.ID == "set_profile_identities" || op.ID == "add_idp_setting" {
			s.Pass(time.Second) // only so many reports are kept, the newest
			w = s.build()       // this one has lost an object, or holds a final one
		}
	}
}
