package iamidentityv1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// Every operation with a body refuses what is no JSON object of its form, and
// stores nothing.
func TestMalformedBodiesAreRefused(t *testing.T) {
	s := newServer(t)
	w := s.build()
	before := s.lastEvent(acct).Seq
	for _, op := range s.table {
		if op.In == nil {
			continue
		}
		if _, takes := op.In.FieldByName("Body"); !takes {
			continue
		}
		for body, status := range map[string]int{
			"": 400, "{": 400, `{"name":`: 400, "[]": 400, `"text"`: 400, "5": 400, "{} {}": 400, `{"a":1}}`: 400, "\x00": 400,
			"{\"name\":\"a\x00\"}": 400,
			`{"x":"` + strings.Repeat("a", httpapi.DefaultBodyLimit) + `"}`: 413,
		} {
			a := s.do("ann", op.Method, w.path(op), body, "If-Match: *")
			if a.status != status {
				t.Errorf("%s with %.20q: status %d, want %d: %s", op.ID, body, a.status, status, a.raw)
			}
			for _, leak := range []string{"json:", "Go ", "struct", "iamidentityv1"} {
				if strings.Contains(string(a.raw), leak) {
					t.Errorf("%s with %.20q leaks %q: %s", op.ID, body, leak, a.raw)
				}
			}
		}
	}
	if after := s.lastEvent(acct).Seq; after != before {
		t.Errorf("malformed bodies wrote events %d to %d", before, after)
	}
}

// Every property of every body refuses the other JSON types by its name.
func TestWrongTypesAreRefusedByName(t *testing.T) {
	s := newServer(t)
	w := s.build()
	for id, properties := range map[string]map[string]string{
		"create_api_key": {"name": "5", "iam_id": "[]", "description": "{}", "account_id": "true", "apikey": "5", "store_value": `"yes"`,
			"support_sessions": "1", "action_when_leaked": "[]", "expires_at": "[]"},
		"update_api_key":          {"name": "5", "description": "[]", "support_sessions": `"x"`, "action_when_leaked": "5", "expires_at": "1.5"},
		"create_service_id":       {"name": "5", "account_id": "5", "group_id": "[]", "unique_instance_crns": `"x"`, "apikey": `"x"`},
		"update_service_id":       {"name": "{}", "description": "5", "unique_instance_crns": "[5]"},
		"create_service_id_group": {"name": "5", "account_id": "5", "description": "5"},
		"update_service_id_group": {"name": "5", "description": "[]"},
		"create_profile":          {"name": "5", "account_id": "[]", "description": "5", "email": "5"},
		"update_profile":          {"name": "5", "description": "[]", "email": "{}"},
		"create_claim_rule":       {"type": "5", "name": "5", "realm_name": "[]", "cr_type": "5", "expiration": `"x"`, "conditions": `"x"`},
		"update_claim_rule":       {"type": "5", "expiration": "1.5", "conditions": "[5]"},
		"create_link":             {"name": "5", "cr_type": "5", "is_cross_account": `"x"`, "link": `"x"`},
		"set_profile_identities":  {"identities": `"x"`},
		"set_profile_identity":    {"identifier": "5", "type": "5", "accounts": `"x"`, "description": "5"},
		"update_account_settings": {"mfa": "5", "user_mfa": `"x"`, "max_sessions_per_identity": "[]", "session_expiration_in_seconds": "1.5",
			"restrict_user_domains": "{}"},

		"update_preference_on_scope_account":   {"value_string": "5", "value_list_of_strings": `"x"`},
		"bulk_list_account_entity_consumption": {"profiles": `"x"`, "cr_links_per_profile": `"x"`},
	} {
		op := s.row(id)
		for property, value := range properties {
			s.do("ann", op.Method, w.path(op), fmt.Sprintf(`{%q:%s}`, property, value), "If-Match: *").refused(400, property)
		}
	}
}

func (s *server) row(id string) httpapi.Operation {
	for _, op := range s.table {
		if op.ID == id {
			return op
		}
	}
	s.t.Fatalf("no operation %s", id)
	return httpapi.Operation{}
}

// long is over every limit of texts.
var long = strings.Repeat("a", 5000)

// wrong is a body that an operation refuses, with a word of the answer.
type wrong struct{ op, body, word string }

func (s *server) refuses(w world, bodies []wrong) {
	s.t.Helper()
	for _, b := range bodies {
		op := s.row(b.op)
		s.do("ann", op.Method, w.path(op), b.body, "If-Match: *").refused(400, b.word)
	}
}

func TestValuesOfKeysAndServiceIDsOutsideTheirRangeAreRefusedByName(t *testing.T) {
	s := newServer(t)
	w := s.build()
	svc := w.ids["/v1/serviceids"]
	s.refuses(w, []wrong{
		{"create_api_key", obj("iam_id", ann), "name"},
		{"create_api_key", obj("name", "  ", "iam_id", ann), "name"},
		{"create_api_key", obj("name", long, "iam_id", ann), "name"},
		{"create_api_key", obj("name", "a\nb", "iam_id", ann), "name"},
		{"create_api_key", obj("name", "n"), "iam_id"},
		{"create_api_key", obj("name", "n", "iam_id", bob), "does not match the IAM ID in the token"},
		{"create_api_key", obj("name", "n", "iam_id", w.ids["iam_id"]), "iam_id"}, // profiles have no keys
		{"create_api_key", obj("name", "n", "iam_id", "crn-"+fakeCRN), "iam_id"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "account_id", "InvalidID"), "account_id"},
		{"create_api_key", obj("name", "n", "iam_id", svc, "account_id", other), "account_id"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "description", long), "description"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "apikey", "too short"), "apikey"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "apikey", long), "apikey"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "apikey", "[redacted]"), "apikey"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "store_value", true), "store_value"},
		{"create_api_key", obj("name", "n", "iam_id", svc, "support_sessions", true), "support_sessions"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "action_when_leaked", "shout"), "action_when_leaked"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "expires_at", "tomorrow"), "expires_at"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "expires_at", 2049), "expires_at"},
		{"create_api_key", obj("name", "n", "iam_id", ann, "expires_at", "2020-01-01T00:00+0000"), "expires_at"},
		{"update_api_key", obj("name", ""), "name"},
		{"update_api_key", obj("action_when_leaked", "shout"), "action_when_leaked"},
		{"update_api_key", obj("expires_at", "2049-13-01T00:00+0000"), "expires_at"},
		{"create_service_id", obj("name", "n"), "account_id"},
		{"create_service_id", obj("name", "n", "account_id", "InvalidID"), "account_id"},
		{"create_service_id", obj("account_id", acct), "name"},
		{"create_service_id", obj("name", "n", "account_id", acct, "unique_instance_crns", []string{"crn"}), "unique_instance_crns"},
		{"create_service_id", obj("name", "n", "account_id", acct, "apikey", map[string]any{}), "apikey.name"},
		{"create_service_id", obj("name", "n", "account_id", acct, "apikey", map[string]any{"name": "k", "apikey": "short"}), "apikey"},
		{"create_service_id", obj("name", "n", "account_id", acct, "apikey", map[string]any{"name": "k", "expires_at": "x"}), "expires_at"},
		{"update_service_id", obj("name", ""), "name"},
		{"update_service_id", obj("unique_instance_crns", []string{long}), "unique_instance_crns"},
		{"create_service_id_group", obj("name", "n"), "account_id"},
		{"create_service_id_group", obj("account_id", acct), "name"},
		{"update_service_id_group", obj("description", "d"), "name"},
	})
}

func TestValuesOfProfilesAndSettingsOutsideTheirRangeAreRefusedByName(t *testing.T) {
	s := newServer(t)
	w := s.build()
	svc := w.ids["/v1/serviceids"]
	condition := []any{map[string]any{"claim": "c", "operator": "EQUALS", "value": "v"}}
	resource := map[string]any{"crn": fakeCRN}
	s.refuses(w, []wrong{
		{"create_profile", obj("name", "n"), "account_id"},
		{"create_profile", obj("name", "n", "account_id", "InvalidID"), "account_id"},
		{"create_profile", obj("name", "n", "account_id", "invalid"), "account_id"},
		{"create_profile", obj("account_id", acct), "name"},
		{"create_profile", obj("name", "n", "account_id", acct, "email", "nobody"), "email"},
		{"update_profile", obj("name", ""), "name"},
		{"update_profile", obj("email", "@"), "email"},
		{"create_claim_rule", obj("type", "", "conditions", condition), "type"},
		{"create_claim_rule", obj("type", "SAML", "conditions", condition), "type"},
		{"create_claim_rule", obj("type", "Profile-SAML", "expiration", 900, "conditions", condition), "realm_name"},
		{"create_claim_rule", obj("type", "Profile-SAML", "realm_name", "r", "conditions", condition), "expiration"},
		{"create_claim_rule", obj("type", "Profile-SAML", "realm_name", "r", "expiration", 0, "conditions", condition), "expiration"},
		{"create_claim_rule", obj("type", "Profile-SAML", "realm_name", "r", "expiration", -5, "conditions", condition), "expiration"},
		{"create_claim_rule", obj("type", "Profile-CR", "cr_type", "dummy", "conditions", condition), "cr_type"},
		{"create_claim_rule", obj("type", "Profile-CR"), "conditions"},
		{"create_claim_rule", obj("type", "Profile-CR", "conditions", []any{map[string]any{"operator": "EQUALS", "value": "v"}}),
			"conditions.claim"},
		{"create_claim_rule", obj("type", "Profile-CR", "conditions", []any{map[string]any{"claim": "c", "operator": "IS", "value": "v"}}),
			"conditions.operator"},
		{"create_claim_rule", obj("type", "Profile-CR", "conditions", []any{map[string]any{"claim": "c", "operator": "IN"}}), "conditions.value"},
		{"create_claim_rule", obj("type", "Profile-CR", "conditions", make([]map[string]any, 100)), "conditions"},
		{"update_claim_rule", obj("type", "", "conditions", condition), "type"},
		{"create_link", obj("link", resource), "cr_type"},
		{"create_link", obj("cr_type", "dummy", "link", resource), "cr_type"},
		{"create_link", obj("cr_type", "VSI"), "link.crn"},
		{"create_link", obj("cr_type", "VSI", "link", map[string]any{"crn": "crn:v1:bluemix"}), "link.crn"},
		{"create_link", obj("cr_type", "VSI", "link", map[string]any{"crn": "crn:v1:bluemix:public:is:r:::instance:i:"}), "link.crn"},
		{"create_link", obj("cr_type", "IKS_SA", "link", resource), "link."},
		{"create_link", obj("cr_type", "CE", "link", resource), "link.component"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"identifier": bob}}), "type"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "robot", "identifier": bob}}), "type"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "user"}}), "identifier"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "user", "identifier": svc}}), "identifier"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "serviceid", "identifier": bob}}), "identifier"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "crn", "identifier": bob}}), "identifier"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "serviceid", "identifier": svc, "accounts": []string{acct}}}),
			"accounts"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "user", "identifier": bob, "accounts": []string{"x"}}}),
			"accounts"},
		{"set_profile_identities", obj("identities", []any{map[string]any{"type": "user", "identifier": bob},
			map[string]any{"type": "user", "identifier": bob}}), "identities"},
		{"set_profile_identity", obj("type", "user"), "identifier"},
		{"set_profile_identity", obj("type", "serviceid", "identifier", "ServiceId-1"), "type"},
		{"update_account_settings", obj("mfa", "MAYBE"), "mfa"},
		{"update_account_settings", obj("session_expiration_in_seconds", 1), "session_expiration_in_seconds"},
		{"update_account_settings", obj("allowed_ip_addresses", "300.1.1.1"), "allowed_ip_addresses"},
		{"bulk_list_account_entity_consumption", obj("cr_links_per_profile", make([]string, 500)), "cr_links_per_profile"},
	})
}

func TestWrongParametersAreRefusedByName(t *testing.T) {
	s := newServer(t)
	w := s.build()
	profile := "/v1/profiles/" + w.ids["profile_id"]
	for _, tt := range []struct{ method, path, header, word string }{
		{"GET", "/v1/apikeys?pagesize=0", "", "pagesize"},
		{"GET", "/v1/apikeys?pagesize=101", "", "pagesize"},
		{"GET", "/v1/apikeys?pagesize=-1", "", "pagesize"},
		{"GET", "/v1/apikeys?pagesize=99999999999999999999", "", "pagesize"},
		{"GET", "/v1/apikeys?pagesize=ten", "", "pagesize"},
		{"GET", "/v1/apikeys?pagetoken=rubbish", "", "pagetoken"},
		{"GET", "/v1/apikeys?pagetoken=" + strings.Repeat("A", 100000), "", "pagetoken"},
		{"GET", "/v1/apikeys?sort=apikey", "", "sort"},
		{"GET", "/v1/apikeys?order=sideways", "", "order"},
		{"GET", "/v1/apikeys?scope=world", "", "scope"},
		{"GET", "/v1/apikeys?type=robot", "", "type"},
		{"GET", "/v1/apikeys?account_id=InvalidID", "", "account_id"},
		{"GET", "/v1/apikeys?filter=name", "", "filter"},
		{"GET", "/v1/apikeys?filter=hash%20co%20%22a%22", "", "filter"}, // not an attribute that anybody may ask about
		{"GET", "/v1/apikeys?include_history=perhaps", "", "include_history"},
		{"GET", "/v1/apikeys?%zz", "", "query"},
		{"GET", "/v1/apikeys?iam_id=a%00b", "", "iam_id"},
		{"GET", "/v1/apikeys/details", "", "IAM-ApiKey"},
		{"GET", "/v1/serviceids/", "", "account_id"},
		{"GET", "/v1/serviceids/?account_id=" + acct + "&sort=created_by", "", "sort"},
		{"GET", "/v1/serviceid_groups", "", "account_id"},
		{"GET", "/v1/profiles", "", "account_id"},
		{"GET", "/v1/profiles?account_id=invalid", "", "account_id"},
		{"DELETE", profile + "/links", "", "type"},
		{"DELETE", profile + "/links?type=dummy&crn=x", "", "type"},
		{"DELETE", profile + "/links?type=VSI", "", "crn"},
		{"GET", profile + "/identities/robot/x", "", "identity-type"},
		{"DELETE", profile + "/identities/robot/x", "", "identity-type"},
		{"GET", "/v1/preferences/accounts/x/identities/" + w.ids["iam_id"], "", "account_id"},
		{"GET", "/v1/accounts/" + acct + "/limits/identity?profiles=many", "", "profiles"},
	} {
		s.do("ann", tt.method, tt.path, "").refused(400, tt.word)
	}
	s.do("ann", "POST", "/v1/apikeys", obj("name", "n", "iam_id", ann), "Entity-Lock: maybe").refused(400, "Entity-Lock")
	for _, id := range []string{"update_api_key", "update_service_id", "update_service_id_group", "update_profile", "update_claim_rule",
		"set_profile_identities", "update_account_settings", "update_idp"} {
		op := s.row(id)
		s.do("ann", op.Method, w.path(op), w.body(op)).refused(400, "If-Match")
	}
}

// The order of refusals is fixed: 401, 400, 404, 403, 409. Each request is
// wrong in every later way too.
func TestOrderOfRefusals(t *testing.T) {
	s := newServer(t)
	w := s.build()
	const dummy = "If-Match: dummy"
	rule := samlRule("x")
	noType := strings.Replace(rule, "Profile-SAML", "", 1)
	unknown := "/v1/profiles/InvalidID"
	s.do("", "PUT", unknown+"/rules/InvalidID", noType, dummy).refused(401, "")
	s.do("ann", "PUT", unknown+"/rules/InvalidID", noType, dummy).refused(400, "type")
	s.do("ann", "PUT", unknown+"/rules/InvalidID", rule, dummy).refused(404, "Profile")
	s.do("ann", "POST", "/v1/profiles/invalidId/links", obj("cr_type", "dummy", "link", map[string]any{"crn": fakeCRN})).refused(400,
		"cr_type")
	s.do("ann", "POST", "/v1/profiles/invalidId/links", obj("cr_type", "VSI", "link", map[string]any{"crn": fakeCRN})).refused(404, "Profile")
	s.do("ann", "PUT", unknown, obj("description", "dummy"), dummy).refused(404, "Profile")
	s.do("ann", "PUT", unknown, obj("name", ""), dummy).refused(400, "name")
	known := "/v1/profiles/" + w.ids["profile_id"]
	s.do("carl", "PUT", known, obj("name", ""), dummy).refused(400, "name")
	s.do("carl", "PUT", known, obj("name", "n"), dummy).refused(403, "profile.update")
	s.do("ann", "PUT", known, obj("name", "n"), dummy).refused(409, "changed")
	s.do("ann", "POST", "/v1/apikeys/"+w.ids["/v1/apikeys"]+"/lock", "").ok(204)
	s.do("carl", "DELETE", "/v1/apikeys/"+w.ids["/v1/apikeys"], "").refused(403, "apikey.delete")
	s.do("ann", "DELETE", "/v1/apikeys/"+w.ids["/v1/apikeys"], "").refused(409, "locked")
	for _, path := range []string{unknown, unknown + "/rules/InvalidID", unknown + "/links/InvalidID", unknown + "/identities"} {
		s.do("ann", "GET", path, "").refused(404, "Profile")
	}
}

func TestMethodsAndTrailingSlashes(t *testing.T) {
	s := newServer(t)
	s.do("ann", "PATCH", "/v1/apikeys", "{}").refused(405, "")
	for _, path := range []string{"/v1/serviceids", "/v1/serviceids/", "/v1//serviceids"} {
		s.do("ann", "POST", path, obj("name", "n", "account_id", acct)).ok(201)
	}
}

func TestAWrongTypeIsNamedByItsProperty(t *testing.T) {
	s := newServer(t)
	s.do("bob", "POST", "/v1/apikeys", `{"name":5}`).refused(400, "Property 'name' must not be a JSON number.")
	s.do("bob", "POST", "/v1/serviceids", `{"apikey":{"name":5}}`).refused(400, "Property 'apikey.name' must not be a JSON number.")
	s.do("bob", "POST", "/v1/serviceids", `{"unique_instance_crns":[5]}`).refused(400,
		"Property 'unique_instance_crns' must not be a JSON number.")
}

// FuzzBodies sends anything to every operation that takes a body: the answer
// is always an answer, never a defect.
func FuzzBodies(f *testing.F) {
	f.Add("create_api_key", obj("name", "n", "iam_id", ann, "expires_at", "2049-01-02T18:30+0000"))
	f.Add("create_service_id", obj("name", "n", "account_id", acct, "apikey", map[string]any{"name": "k"}))
	f.Add("create_claim_rule", samlRule(`["a"]`))
	f.Add("create_link", obj("cr_type", "CE", "link", map[string]any{"crn": fakeCRN, "component_type": "a", "component_name": "b"}))
	f.Add("set_profile_identities", obj("identities", []any{map[string]any{"type": "crn", "identifier": fakeCRN}}))
	f.Add("update_account_settings", obj("max_sessions_per_identity", 5, "restrict_user_domains", []any{map[string]any{"realm_id": "IBMid"}}))
	f.Add("update_api_key", `{"expires_at":"2049-01-02T18:30:00+00:00"}`)
	f.Add("update_preference_on_scope_account", obj("value_string", "/x"))
	f.Add("create_idp", samlIdP("n"))
	f.Add("update_idp", `{"properties":{"idp":{"entity_id":null},"sp":{"claims":{"a":"b"}}},"secrets":{"sp":{"signing":[]}}}`)
	f.Add("import_saml_idp_metadata", "<EntityDescriptor/>")
	shared := newServer(f)
	w := shared.build()
	f.Fuzz(func(t *testing.T, id, body string) {
		s := *shared
		s.t, s.Server = t, shared.For(t)
		for _, op := range s.table {
			if op.ID != id || !op.Built {
				continue
			}
			a := s.do("ann", op.Method, w.path(op), body, "If-Match: *")
			if a.status >= 500 {
				t.Fatalf("%s: %s", a.what, a.raw)
			}
		}
	})
}
