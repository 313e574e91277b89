package iamidentityv1

import (
	"strings"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// laterRows are the operations that this version knows and does not offer.
func laterRows() (rows []httpapi.Operation) {
	const (
		report, mfa    = "/v1/activity/accounts/{account_id}/report", "/v1/mfa/accounts/{account_id}"
		idps, idp      = "/v1/idps", "/v1/idps/{idp_id}"
		login, binding = "/v2/loginsettings/{account_id}", "/v2/loginsettings/{account_id}/idps/{idp_id}"
	)
	for _, r := range []struct {
		id, route string
		success   int
		action    string
	}{
		{"create_report", "POST " + report, 202, "report.create"},
		{"get_report", "GET " + report + "/{reference}", 200, "report.get"},
		{"get_mfa_status", "GET " + mfa + "/status", 200, "mfa-status.get"},
		{"create_mfa_report", "POST " + mfa + "/report", 202, "mfa-status.get"},
		{"get_mfa_report", "GET " + mfa + "/report/{reference}", 200, "mfa-status.get"},

		{"list_idps", "GET " + idps, 200, "idp.list"},
		{"create_idp", "POST " + idps, 201, "idp.create"},
		{"get_idp", "GET " + idp, 200, "idp.get"},
		{"update_idp", "PUT " + idp, 200, "idp.update"},
		{"delete_idp", "DELETE " + idp, 204, "idp.delete"},
		{"list_consumer_accounts", "GET " + idp + "/consumers", 200, "idp.get"},
		{"export_saml_metadata", "GET " + idp + "/saml/metadata", 200, "idp.get"},
		{"import_saml_idp_metadata", "PUT " + idp + "/saml/metadata", 200, "idp.update"},
		{"get_idp_test_result", "GET " + idp + "/test", 200, "idp.test"},
		{"test_idp", "POST " + idp + "/test", 200, "idp.test"},
		{"get_login_settings", "GET " + login, 200, "account.get"},
		{"update_login_settings", "PUT " + login, 200, "account.update"},
		{"list_idp_settings", "GET " + login + "/idps", 200, "idp.list"},
		{"get_idp_setting", "GET " + binding, 200, "idp.get"},
		{"add_idp_setting", "POST " + binding, 200, "account.enable_idp"},
		{"update_idp_setting", "PUT " + binding, 200, "account.enable_idp"},
		{"remove_idp_setting", "DELETE " + binding, 204, "account.disable_idp"},
	} {
		method, path, _ := strings.Cut(r.route, " ")
		rows = append(rows, httpapi.NotBuilt(Family, r.id, method, path, r.success, act(r.action)))
	}
	return rows
}
