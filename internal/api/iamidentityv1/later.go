package iamidentityv1

import (
	"strings"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// laterRows are the operations that this version knows and does not offer.
func laterRows() (rows []httpapi.Operation) {
	const (
		report, mfa       = "/v1/activity/accounts/{account_id}/report", "/v1/mfa/accounts/{account_id}"
		idps, idp         = "/v1/idps", "/v1/idps/{idp_id}"
		login, binding    = "/v2/loginsettings/{account_id}", "/v2/loginsettings/{account_id}/idps/{idp_id}"
		profs, prof       = "/v1/profile_templates", "/v1/profile_templates/{template_id}"
		setts, sett       = "/v1/account_settings_templates", "/v1/account_settings_templates/{template_id}"
		version           = "/versions/{version}"
		profAsgs, profAsg = "/v1/profile_assignments", "/v1/profile_assignments/{assignment_id}"
		settAsgs, settAsg = "/v1/account_settings_assignments", "/v1/account_settings_assignments/{assignment_id}"
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

		{"create_profile_template", "POST " + profs, 201, "profile-template.create"},
		{"get_latest_profile_template_version", "GET " + prof, 200, "profile-template.read"},
		{"delete_all_versions_of_profile_template", "DELETE " + prof, 204, "profile-template.delete"},
		{"list_versions_of_profile_template", "GET " + prof + "/versions", 200, "profile-template.read"},
		{"create_profile_template_version", "POST " + prof + "/versions", 201, "profile-template.create"},
		{"get_profile_template_version", "GET " + prof + version, 200, "profile-template.read"},
		{"update_profile_template_version", "PUT " + prof + version, 200, "profile-template.update"},
		{"delete_profile_template_version", "DELETE " + prof + version, 204, "profile-template.delete"},
		{"commit_profile_template", "POST " + prof + version + "/commit", 204, "profile-template.update"},
		{"create_trusted_profile_assignment", "POST " + profAsgs, 202, "profile-assignment.create"},
		{"get_trusted_profile_assignment", "GET " + profAsg, 200, "profile-assignment.read"},
		{"delete_trusted_profile_assignment", "DELETE " + profAsg, 202, "profile-assignment.delete"},
		{"update_trusted_profile_assignment", "PATCH " + profAsg, 202, "profile-assignment.update"},

		{"create_account_settings_template", "POST " + setts, 201, "account-settings-template.create"},
		{"get_latest_account_settings_template_version", "GET " + sett, 200, "account-settings-template.read"},
		{"delete_all_versions_of_account_settings_template", "DELETE " + sett, 204, "account-settings-template.delete"},
		{"list_versions_of_account_settings_template", "GET " + sett + "/versions", 200, "account-settings-template.read"},
		{"create_account_settings_template_version", "POST " + sett + "/versions", 201, "account-settings-template.create"},
		{"get_account_settings_template_version", "GET " + sett + version, 200, "account-settings-template.read"},
		{"update_account_settings_template_version", "PUT " + sett + version, 200, "account-settings-template.update"},
		{"delete_account_settings_template_version", "DELETE " + sett + version, 204, "account-settings-template.delete"},
		{"commit_account_settings_template", "POST " + sett + version + "/commit", 204, "account-settings-template.update"},
		{"create_account_settings_assignment", "POST " + settAsgs, 202, "account-settings-assignment.create"},
		{"get_account_settings_assignment", "GET " + settAsg, 200, "account-settings-assignment.read"},
		{"delete_account_settings_assignment", "DELETE " + settAsg, 202, "account-settings-assignment.delete"},
		{"update_account_settings_assignment", "PATCH " + settAsg, 202, "account-settings-assignment.update"},

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
