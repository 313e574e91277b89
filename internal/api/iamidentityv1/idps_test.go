package iamidentityv1_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/store"
)

// dig follows names into an object.
func dig(t *testing.T, m map[string]any, names ...string) map[string]any {
	t.Helper()
	for _, name := range names {
		inner, ok := m[name].(map[string]any)
		if !ok {
			t.Fatalf("property %s is %#v in %v", name, m[name], m)
		}
		m = inner
	}
	return m
}

func TestSAMLIdentityProviderIsMadeChangedAndDeleted(t *testing.T) {
	s := newServer(t)
	a := s.do("ann", "POST", "/v1/idps/?automation=true", samlIdP("Okta"))
	made := a.ok(201)
	one := "/v1/idps/" + text(t, made, "idp_id")
	if a.header.Get("Etag") != text(t, made, "entity_tag") || made["active"] != true || text(t, made, "type") != "saml" {
		t.Errorf("made: %v", made)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.idp.create" || !strings.HasSuffix(e.CRN, ":idp:"+text(t, made, "idp_id")) {
		t.Errorf("event %+v", e)
	}
	want := map[string]any{
		"idp": map[string]any{"entity_id": "http://idp.example.com/hidden", "redirect_binding_url": "https://idp.example.com/sso",
			"want_request_signed": true},
		"sp": map[string]any{"want_assertion_signed": true, "want_response_signed": false, "encrypt_response": true,
			"idp_initiated_login_enabled": false, "logout_url_enabled_when_available": false},
	}
	if diff := cmp.Diff(want, made["properties"]); diff != "" {
		t.Error(diff)
	}
	got := s.do("ann", "GET", one+"?include_history=true", "").ok(200)
	if len(list(t, got, "history")) != 1 || list(t, got, "share_scope") == nil {
		t.Errorf("got %v", got)
	}
	if found := s.do("ann", "GET", "/v1/idps/?account_id="+acct, "").ok(200); names(t, found, "idps")[0] != "Okta" {
		t.Errorf("listed: %v", found)
	}
	// A change touches what it names: objects are merged, claims replaced, null removes.
	s.do("ann", "PUT", one, `{"name":"Okta 2","ui_setup_completed":true,"properties":{"idp":{"logout_url":"https://idp.example.com/out"},"sp":{"claims":{"a":"b","c":"d"}}}}`,
		"If-Match: "+text(t, made, "entity_tag")).ok(200)
	changed := s.do("ann", "PUT", one,
		`{"active":false,"properties":{"idp":{"logout_url":null},"sp":{"claims":{"e":"f"},"encrypt_response":false}}}`, "If-Match: *").ok(200)
	dig(t, want, "sp")["claims"], dig(t, want, "sp")["encrypt_response"] = map[string]any{"e": "f"}, false
	if diff := cmp.Diff(want, changed["properties"]); diff != "" || text(t, changed, "name") != "Okta 2" || changed["active"] != false ||
		changed["ui_setup_completed"] != true {
		t.Errorf("%v\n%s", changed, diff)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.idp.update" || cmp.Diff([]string{"active", "properties"}, e.Params) != "" {
		t.Errorf("event %+v", e)
	}
	s.do("ann", "PUT", one, "{}", "If-Match: "+text(t, made, "entity_tag")).refused(409, "changed")
	s.do("ann", "DELETE", one, "").ok(204)
	s.do("ann", "GET", one, "").refused(404, "IdP")
	s.do("ann", "DELETE", one, "").refused(404, "IdP")
	if e := s.lastEvent(acct); e.Action != "iam-identity.idp.delete" {
		t.Errorf("event %+v", e)
	}
}

func TestSecretsOfIdentityProvidersAreNeitherShownNorStoredInClear(t *testing.T) {
	s := newServer(t)
	theirs, _ := newPair(t)
	certificate, key := newPair(t)
	pair := map[string]any{"certificate_value": certificate, "key_value": key, "key_encoding": "pkcs8", "type": "primary"}
	secrets := map[string]any{"idp": map[string]any{"signing": []any{map[string]any{"value": theirs, "type": "primary"}}},
		"sp": map[string]any{"signing": []any{pair}}}
	given := "/v1/idps/" + s.newIdP("given", "secrets", secrets)
	drawn := "/v1/idps/" + s.newIdP("drawn")
	ldap := "/v1/idps/" + text(t, s.do("ann", "POST", "/v1/idps", obj("account_id", acct, "name", "ldap", "type", "ldap",
		"properties", map[string]any{"host": "ldap.example.com", "port": 636}, "secrets",
		map[string]any{"bind": map[string]any{"password": "very-hidden", "pins": []any{"hidden-pin"}}})).ok(201), "idp_id")
	marks := []string{"very-hidden", "hidden-pin", "PRIVATE KEY", strings.Split(key, "\n")[1]}
	clean := func(what string, raw []byte) {
		t.Helper()
		for _, mark := range marks {
			if strings.Contains(string(raw), mark) {
				t.Errorf("%s holds %.20q", what, mark)
			}
		}
	}
	for _, path := range []string{given, drawn, ldap, "/v1/idps?account_id=" + acct} {
		a := s.do("ann", "GET", path, "")
		a.ok(200)
		clean(path, a.raw)
	}
	for _, path := range []string{given, drawn, ldap} {
		rec, err := s.DB.Direct().Get(context.Background(), "idp", acct, strings.TrimPrefix(path, "/v1/idps/"))
		if err != nil {
			t.Fatal(err)
		}
		clean("the stored "+path, rec.Body)
	}
	shown := s.do("ann", "GET", given, "").ok(200)
	pair["key_value"] = "[redacted]"
	if diff := cmp.Diff(secrets, shown["secrets"]); diff != "" {
		t.Error(diff)
	}
	if one := list(t, dig(t, s.do("ann", "GET", drawn, "").ok(200), "secrets", "sp"),
		"signing")[0].(map[string]any); !strings.Contains(text(t, one, "certificate_value"), "BEGIN CERTIFICATE") || one["type"] != "primary" {
		t.Errorf("drawn: %v", one)
	}
	if diff := cmp.Diff(map[string]any{"bind": map[string]any{"password": "[redacted]", "pins": []any{"[redacted]"}}},
		s.do("ann", "GET", ldap, "").ok(200)["secrets"]); diff != "" {
		t.Error(diff)
	}
	// Sending back what was shown changes nothing: the key still fits its certificate.
	s.do("ann", "PUT", given, obj("secrets", shown["secrets"]), "If-Match: *").ok(200)
	// The key of another certificate does not.
	pair["certificate_value"] = theirs
	s.do("ann", "PUT", given, obj("secrets", secrets), "If-Match: *").refused(400, "key_value")
	// Without any key of its own it gets a new one.
	renewed := s.do("ann", "PUT", given, `{"secrets":{"sp":{"signing":[]}}}`, "If-Match: *").ok(200)
	if fresh := list(t, dig(t, renewed, "secrets", "sp"), "signing"); len(fresh) != 1 ||
		fresh[0].(map[string]any)["certificate_value"] == certificate {
		t.Errorf("renewed: %v", fresh)
	}
}

func TestValuesOfIdentityProvidersOutsideTheirRangeAreRefusedByName(t *testing.T) {
	s := newServer(t)
	w := s.build()
	saml := func(properties, secrets string) string {
		return `{"account_id":"` + acct + `","name":"n","type":"saml","properties":` + properties + `,"secrets":` + secrets + `}`
	}
	const good = `{"idp":{"entity_id":"e","redirect_binding_url":"https://x.example/"}}`
	idp := func(inner string) string { return saml(`{"idp":{`+inner+`}}`, "{}") }
	certificate, key := newPair(t)
	cert := func(v string) map[string]any { return map[string]any{"value": v} }
	signing := func(list ...any) string {
		return samlIdP("n", "secrets", map[string]any{"idp": map[string]any{"signing": list}})
	}
	own := func(pair map[string]any) string {
		return samlIdP("n", "secrets", map[string]any{"sp": map[string]any{"signing": []any{pair}}})
	}
	s.refuses(w, []wrong{
		{"create_idp", obj("name", "n", "type", "saml"), "account_id"},
		{"create_idp", samlIdP("n", "account_id", "InvalidID"), "account_id"},
		{"create_idp", samlIdP(" "), "name"},
		{"create_idp", samlIdP(long), "name"},
		{"create_idp", samlIdP("a\nb"), "name"},
		{"create_idp", samlIdP("n", "type", "oidc"), "type"},
		{"create_idp", samlIdP("n", "type", ""), "type"},
		{"create_idp", samlIdP("n", "properties", nil), "properties"},
		{"create_idp", samlIdP("n", "secrets", nil), "secrets"},
		{"create_idp", idp(`"redirect_binding_url":"https://x.example/"`), "properties.idp.entity_id"},
		{"create_idp", idp(`"entity_id":"e"`), "properties.idp.redirect_binding_url"},
		{"create_idp", idp(`"entity_id":5`), "properties.idp.entity_id"},
		{"create_idp", idp(`"entity_id":"e","redirect_binding_url":"javascript:alert(1)"`), "redirect_binding_url"},
		{"create_idp", idp(`"entity_id":"e","redirect_binding_url":"/relative"`), "redirect_binding_url"},
		{"create_idp", idp(`"entity_id":"e","redirect_binding_url":"https://u:p@x.example/"`), "redirect_binding_url"},
		{"create_idp", idp(`"entity_id":"e","redirect_binding_url":"https://x.example/","logout_url":"x"`), "logout_url"},
		{"create_idp", saml(`{"idp":{"xml_import":"yes"}}`, "{}"), "properties.idp.xml_import"},
		{"create_idp", saml(`{"idp":{"xml_import":true},"sp":{"idp_initiated_urls":["x"]}}`, "{}"), "idp_initiated_urls"},
		{"create_idp", saml(`{"idp":{"xml_import":true},"sp":{"claims":{"a":5}}}`, "{}"), "claims"},
		{"create_idp", saml(`{"idp":{"xml_import":true},"sp":{"authn_context":{"request":[""]}}}`, "{}"), "authn_context.request"},
		{"create_idp", saml(strings.Repeat(`{"a":`, 40)+"5"+strings.Repeat("}", 40), "{}"), "properties"},
		{"create_idp", saml(`{"idp":{"entity_id":"`+strings.Repeat("a", 40000)+`"}}`, "{}"), "properties"},
		{"create_idp", saml(good, `{"sp":"x"}`), "secrets.sp"},
		{"create_idp", signing(cert("rubbish")), "secrets.idp.signing.value"},
		{"create_idp", signing(cert("")), "secrets.idp.signing.value"},
		{"create_idp", signing(cert(key)), "secrets.idp.signing.value"},
		{"create_idp", signing(cert(certificate), cert(certificate), cert(certificate)), "secrets.idp.signing"},
		{"create_idp", signing(map[string]any{"value": certificate, "type": "third"}), "secrets.idp.signing.type"},
		{"create_idp", own(map[string]any{"certificate_value": certificate}), "key_value"},
		{"create_idp", own(map[string]any{"certificate_value": certificate, "key_value": "[redacted]"}), "key_value"},
		{"create_idp", own(map[string]any{"certificate_value": certificate, "key_value": key, "key_encoding": "pkcs1"}), "key_encoding"},
		{"create_idp", samlIdP("n", "share_scope", []any{map[string]any{"id": other, "type": "world"}}), "share_scope.type"},
		{"create_idp", samlIdP("n", "share_scope", []any{map[string]any{"id": "x", "type": "account"}}), "share_scope.id"},
		{"create_idp", samlIdP("n", "share_scope", []any{map[string]any{"id": other, "type": "account"},
			map[string]any{"id": other, "type": "account"}}), "share_scope"},
		{"create_idp", samlIdP("n", "share_scope", "x"), "share_scope"},
		{"update_idp", `{"name":""}`, "name"},
		{"update_idp", `{"properties":{"idp":{"entity_id":null}}}`, "properties.idp.entity_id"},
		{"update_idp", `{"properties":{"idp":null}}`, "properties.idp.entity_id"},
		{"update_idp", `{"properties":"x"}`, "properties"},
		{"update_idp", `{"active":"x"}`, "active"},
		{"update_idp", `{"share_scope":[{}]}`, "share_scope"},
		{"update_login_settings", `{"alias":5}`, "alias"},
		{"update_login_settings", `{"alias":"a b"}`, "alias"},
		{"update_login_settings", `{"alias":"../x"}`, "alias"},
		{"update_login_settings", obj("alias", long), "alias"},
		{"add_idp_setting", `{"active":true,"ui_default":true}`, "cloud_user_strategy"},
		{"add_idp_setting", `{"cloud_user_strategy":"SOMETIMES","active":true,"ui_default":true}`, "cloud_user_strategy"},
		{"add_idp_setting", `{"cloud_user_strategy":"STATIC","ui_default":true}`, "active"},
		{"add_idp_setting", `{"cloud_user_strategy":"STATIC","active":true}`, "ui_default"},
		{"update_idp_setting", `{"cloud_user_strategy":""}`, "cloud_user_strategy"},
	})
	login := "/v2/loginsettings/" + acct + "/idps"
	s.do("ann", "GET", login, "").refused(400, "type")
	s.do("ann", "GET", login+"?type=all", "").refused(400, "type")
	s.do("ann", "GET", "/v1/idps", "").refused(400, "account_id")
	s.do("ann", "PUT", "/v1/idps/"+w.ids["idp_id"]+"?force_share_scope_update=perhaps", "{}", "If-Match: *").refused(400,
		"force_share_scope_update")
}

func TestAnAccountHasFiveIdentityProviders(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"1", "2", "3", "4", "5"} {
		s.newIdP(name)
	}
	s.do("ann", "POST", "/v1/idps", samlIdP("6")).refused(409, "is 5")
	limits := s.do("ann", "GET", "/v1/accounts/"+acct+"/limits/identity?idps=true", "").ok(200)
	if diff := cmp.Diff(map[string]any{"limit": 5.0, "count": 5.0}, limits["idps"]); diff != "" {
		t.Error(diff)
	}
}

func TestIdentityProvidersAreSharedAndConsumed(t *testing.T) {
	s := newServer(t)
	scope := func(id, kind string) map[string]any { return map[string]any{"id": id, "type": kind} }
	shared := s.newIdP("shared", "share_scope", []any{scope(other, "account")})
	private := s.newIdP("private")
	eves := "/v2/loginsettings/" + other + "/idps"
	consumable := s.do("eve", "GET", eves+"?type=consumable&include_idp_metadata=true", "").ok(200)
	want := []any{map[string]any{"idp_id": shared, "owner_account": acct, "owner_account_name": acct, "idp_name": "shared",
		"idp_type": "saml"}}
	if diff := cmp.Diff(want, consumable["idps"]); diff != "" {
		t.Error(diff)
	}
	if bare := s.do("eve", "GET", eves+"?type=consumable", "").ok(200); cmp.Diff([]any{map[string]any{"idp_id": shared}}, bare["idps"]) != "" {
		t.Errorf("without metadata: %v", bare)
	}
	if own := s.do("ann", "GET", "/v2/loginsettings/"+acct+"/idps?type=consumable", "").ok(200); len(list(t, own, "idps")) != 2 {
		t.Errorf("of the owner: %v", own)
	}
	// What is not shared is as if it were not there.
	s.bind("eve", private).refused(404, private)
	s.bind("eve", "idp-unknown").refused(404, "idp-unknown")
	s.do("eve", "GET", "/v1/idps/"+shared, "").refused(404, shared) // its configuration stays the owner's
	s.do("eve", "GET", eves+"/"+shared, "").refused(404, shared)
	s.do("eve", "PUT", eves+"/"+shared, "{}").refused(404, shared)
	s.do("eve", "DELETE", eves+"/"+shared, "").refused(404, shared)

	bound := s.bind("eve", shared).ok(200)
	if bound["cloud_user_strategy"] != "STATIC" || bound["ui_default"] != true || bound["owner_account"] != acct {
		t.Errorf("bound: %v", bound)
	}
	if e := s.lastEvent(other); e.Action != "iam-identity.account.enable_idp" || e.Origin.IAMID != eve {
		t.Errorf("event %+v", e)
	}
	s.bind("eve", shared).refused(409, "already")
	s.bind("ann", shared).ok(200)
	s.do("eve", "PUT", eves+"/"+shared, `{"cloud_user_strategy":"DYNAMIC"}`).ok(200)
	if got := s.do("eve", "GET", eves+"/"+shared, "").ok(200); got["cloud_user_strategy"] != "DYNAMIC" || got["active"] != true {
		t.Errorf("changed: %v", got)
	}
	consumers := s.do("ann", "GET", "/v1/idps/"+shared+"/consumers", "").ok(200)
	if diff := cmp.Diff(map[string]any{"idp_id": shared, "consumers": []any{
		map[string]any{"account_id": acct, "share_scope": []any{}}, map[string]any{"account_id": other,
			"share_scope": []any{scope(other, "account")}}}}, consumers); diff != "" {
		t.Error(diff)
	}
	// It cannot be deleted, nor taken away by accident.
	s.do("ann", "DELETE", "/v1/idps/"+shared, "").refused(409, "used by 2 accounts")
	s.do("ann", "PUT", "/v1/idps/"+shared, `{"share_scope":[]}`, "If-Match: *").refused(409, "force_share_scope_update")
	if got := s.do("ann", "GET", "/v1/idps/"+shared, "").ok(200); len(list(t, got, "share_scope")) != 1 {
		t.Errorf("a refused change is stored: %v", got)
	}
	s.do("ann", "PUT", "/v1/idps/"+shared+"?force_share_scope_update=true", `{"share_scope":[]}`, "If-Match: *").ok(200)
	s.do("eve", "GET", eves+"/"+shared, "").refused(404, shared)
	for _, kind := range []string{"consumable", "consumed"} {
		if got := s.do("eve", "GET", eves+"?type="+kind, "").ok(200); len(list(t, got, "idps")) != 0 {
			t.Errorf("%s after it was taken away: %v", kind, got)
		}
	}
	s.do("ann", "DELETE", "/v2/loginsettings/"+acct+"/idps/"+shared, "").ok(204)
	if e := s.lastEvent(acct); e.Action != "iam-identity.account.disable_idp" {
		t.Errorf("event %+v", e)
	}
	s.do("ann", "DELETE", "/v1/idps/"+shared, "").ok(204)
}

func TestAnEnterpriseScopeReachesItsAccounts(t *testing.T) {
	s := newServer(t)
	s.found()
	child := s.child()
	kid := s.callers["ann"]
	kid.Account = child
	s.callers["kid"] = kid
	shared := s.newIdP("shared", "share_scope", []any{map[string]any{"id": entID, "type": "enterprise"}})
	if got := s.do("kid", "GET", "/v2/loginsettings/"+child+"/idps?type=consumable", "").ok(200); cmp.Diff([]string{shared},
		ids(t, got, "idps", "idp_id")) != "" {
		t.Errorf("in the enterprise: %v", got)
	}
	s.bind("kid", shared).ok(200)
	s.bind("eve", shared).refused(404, shared)
	// A scope that still covers the account takes nothing away.
	s.do("ann", "PUT", "/v1/idps/"+shared, obj("share_scope", []any{map[string]any{"id": child, "type": "account"}}), "If-Match: *").ok(200)
	if got := s.do("kid", "GET", "/v2/loginsettings/"+child+"/idps?type=consumed", "").ok(200); cmp.Diff([]string{shared},
		ids(t, got, "idps", "idp_id")) != "" {
		t.Errorf("after the change: %v", got)
	}
}

func TestAnAccountHasOneDefaultIdentityProvider(t *testing.T) {
	s := newServer(t)
	first, second := s.newIdP("first"), s.newIdP("second")
	s.bind("ann", first).ok(200)
	s.bind("ann", second).ok(200)
	login := "/v2/loginsettings/" + acct + "/idps/"
	isDefault := func(id string) any { return s.do("ann", "GET", login+id, "").ok(200)["ui_default"] }
	if isDefault(first) != false || isDefault(second) != true {
		t.Errorf("first %v, second %v", isDefault(first), isDefault(second))
	}
	s.do("ann", "PUT", login+first, `{"ui_default":true}`).ok(200)
	if isDefault(first) != true || isDefault(second) != false {
		t.Errorf("first %v, second %v", isDefault(first), isDefault(second))
	}
}

func TestAliasesAreUniqueOverAccounts(t *testing.T) {
	s := newServer(t)
	mine, theirs := "/v2/loginsettings/"+acct, "/v2/loginsettings/"+other
	if got := s.do("ann", "GET", mine, "").ok(200); len(got) != 0 {
		t.Errorf("before it is set: %v", got)
	}
	s.do("ann", "PUT", mine, `{"alias":"my_alias_update_test"}`).ok(200)
	if e := s.lastEvent(acct); e.Action != "iam-identity.login-settings.update" {
		t.Errorf("event %+v", e)
	}
	s.do("ann", "PUT", mine, `{"alias":"my_alias_update_test"}`).ok(200)
	s.do("eve", "PUT", theirs, `{"alias":"MY_alias_update_test"}`).refused(409, "taken")
	s.do("ann", "PUT", mine, `{"alias":""}`).ok(200)
	s.do("eve", "PUT", theirs, `{"alias":"MY_alias_update_test"}`).ok(200)
	if got := s.do("eve", "GET", theirs, "").ok(200); text(t, got, "alias") != "MY_alias_update_test" {
		t.Errorf("%v", got)
	}
}

func TestSAMLMetadataGoesInAndOut(t *testing.T) {
	s := newServer(t)
	certificate, _ := newPair(t)
	idpID := s.newIdP("by metadata", "properties", map[string]any{"idp": map[string]any{"xml_import": true}})
	path := "/v1/idps/" + idpID + "/saml/metadata"
	document := metadata(certificate)
	tried := s.do("ann", "PUT", path+"?parse_only=true", document, "Content-Type: text/xml").ok(200)
	want := map[string]any{"xml_import": true, "entity_id": "https://imported.example.com",
		"redirect_binding_url": "https://imported.example.com/sso",
		"logout_url":           "https://imported.example.com/logout", "want_request_signed": true}
	if diff := cmp.Diff(want, dig(t, tried, "properties", "idp")); diff != "" {
		t.Error(diff)
	}
	if got := s.do("ann", "GET", "/v1/idps/"+idpID, "").ok(200); dig(t, got, "properties", "idp")["entity_id"] != nil {
		t.Errorf("trying stored: %v", got)
	}
	imported := s.do("ann", "PUT", path, document, "Content-Type: text/xml").ok(200)
	if diff := cmp.Diff(want, dig(t, imported, "properties", "idp")); diff != "" || len(list(t, imported, "history")) != 2 {
		t.Errorf("%v\n%s", imported, diff)
	}
	if got := list(t, dig(t, imported, "secrets", "idp"), "signing"); cmp.Diff([]any{map[string]any{"value": certificate,
		"type": "primary"}}, got) != "" {
		t.Errorf("certificates: %v", got)
	}
	out := s.do("ann", "GET", path, "")
	if out.status != 200 || !strings.HasPrefix(out.header.Get("Content-Type"), "text/xml") {
		t.Fatalf("export: %d %s %s", out.status, out.header.Get("Content-Type"), out.raw)
	}
	for _, part := range []string{`entityID="https://iam.example.com/saml2/metadata/` + idpID + `"`, `AuthnRequestsSigned="true"`,
		`Location="https://iam.example.com/saml2/acs/` + idpID + `"`, "X509Certificate"} {
		if !strings.Contains(string(out.raw), part) {
			t.Errorf("%s is not in %s", part, out.raw)
		}
	}
	s.do("carl", "GET", path, "").refused(403, "idp.get")
	s.do("carl", "PUT", path, document).refused(403, "idp.update")
	s.do("ann", "PUT", path+"?parse_only=x", document).refused(400, "parse_only")
	s.do("ann", "PUT", path, "<x/>").refused(400, "EntityDescriptor")
	s.do("ann", "PUT", path, "").refused(400, "EntityDescriptor")
	s.do("ann", "PUT", path, `<!DOCTYPE a [<!ENTITY b "c">]>`+strings.TrimPrefix(document,
		`<?xml version="1.0" encoding="UTF-8"?>`)).refused(400, "document type")
	s.do("ann", "PUT", path, strings.Repeat(" ", 300<<10)).refused(413, "larger")
	appid := text(t, s.do("ann", "POST", "/v1/idps", obj("account_id", acct, "name", "a", "type", "appid")).ok(201), "idp_id")
	s.do("ann", "PUT", "/v1/idps/"+appid+"/saml/metadata", document).refused(409, "saml")
	s.do("ann", "GET", "/v1/idps/"+appid+"/saml/metadata", "").refused(409, "saml")
}

func TestConfigurationTestsTellWhatIsMissing(t *testing.T) {
	s := newServer(t)
	idpID := s.newIdP("tested", "properties", map[string]any{"idp": map[string]any{"xml_import": true}})
	path := "/v1/idps/" + idpID + "/test"
	s.do("ann", "GET", path, "").refused(404, idpID)
	if got := s.do("ann", "POST", path, "").ok(200); got["result"] != "FAILED" || got["test_url"] != "https://iam.example.com"+path {
		t.Errorf("%v", got)
	}
	states := func() map[string]any {
		out := map[string]any{}
		for i, one := range list(t, s.do("ann", "GET", path, "").ok(200), "steps") {
			step := one.(map[string]any)
			if step["sequence"] != float64(i+1) || step["result"] == "" {
				t.Errorf("step %v", step)
			}
			out[text(t, step, "name")] = step["state"]
		}
		return out
	}
	if diff := cmp.Diff(map[string]any{"active": "PASSED", "metadata": "FAILED", "idp_certificate": "FAILED", "sp_certificate": "PASSED"},
		states()); diff != "" {
		t.Error(diff)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.idp.test" {
		t.Errorf("event %+v", e)
	}
	certificate, _ := newPair(t)
	s.do("ann", "PUT", "/v1/idps/"+idpID+"/saml/metadata", metadata(certificate)).ok(200)
	if got := s.do("ann", "POST", path, "").ok(200); got["result"] != "PASSED" {
		t.Errorf("%v %v", got, states())
	}
	record := s.do("ann", "GET", path, "").ok(200)
	if record["idp_version"] != s.do("ann", "GET", "/v1/idps/"+idpID, "").ok(200)["entity_tag"] ||
		record["started_at"] != float64(start.UnixMilli()) {
		t.Errorf("%v", record)
	}
	s.Pass(365 * 24 * time.Hour) // the certificate has expired
	if got := s.do("ann", "POST", path, "").ok(200); got["result"] != "FAILED" || states()["idp_certificate"] != "FAILED" {
		t.Errorf("a year later: %v", states())
	}
	s.do("ann", "DELETE", "/v1/idps/"+idpID, "").ok(204)
}

// The account of a consumer that was canceled does not hold the identity provider.
func TestCanceledConsumersCanBeTakenOut(t *testing.T) {
	s := newServer(t)
	shared := s.newIdP("shared", "share_scope", []any{map[string]any{"id": other, "type": "account"}})
	s.bind("eve", shared).ok(200)
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return s.Accounts.SetStateIn(ctx, tx, other, account.Canceled)
	})
	s.do("ann", "PUT", "/v1/idps/"+shared+"?force_share_scope_update=true", `{"share_scope":[]}`, "If-Match: *").ok(200)
	s.do("ann", "DELETE", "/v1/idps/"+shared, "").ok(204)
}
