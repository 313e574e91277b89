package app

// A sample is a request that an operation accepts from somebody who may do it.
// Only what cannot be derived from the row stands here: bodies, queries that
// the row does not name, and what must have happened before. In texts,
// {acct} is the account, {n} a number that was never used, {child} a new
// account of the enterprise, {id PATH} the object that POST PATH makes, and
// {NAME} the value of the path's wildcard NAME.
type sample struct {
	query, body string
	// before are operations that the owner does first, on the same objects.
	before []string
	header string
}

const (
	viewer   = `crn:v1:bluemix:public:iam::::role:Viewer`
	v2Policy = `{"type":"access","subject":{"attributes":[{"key":"iam_id","operator":"stringEquals","value":"IBMid-WALKED{n}"}]},` +
		`"control":{"grant":{"roles":[{"role_id":"` + viewer +
		`"}]}},"resource":{"attributes":[{"key":"accountId","operator":"stringEquals","value":"{acct}"},{"key":"serviceName","operator":"stringEquals","value":"kms"}]}}`
	v1Policy = `{"type":"access","subjects":[{"attributes":[{"name":"iam_id","value":"IBMid-WALKED{n}"}]}],"roles":[{"role_id":"` + viewer +
		`"}],` +
		`"resources":[{"attributes":[{"name":"accountId","value":"{acct}"},{"name":"serviceName","value":"kms"}]}]}`
	claimRule   = `{"type":"Profile-SAML","realm_name":"https://idp.example.com/walk","expiration":3600,"conditions":[{"claim":"group","operator":"EQUALS","value":"\"walked\""}]}`
	groupRule   = `{"realm_name":"https://idp.example.com/walk","expiration":1,"conditions":[{"claim":"group","operator":"EQUALS","value":"\"walked\""}]}`
	samlIdP     = `{"account_id":"{acct}","name":"walked {n}","type":"saml","properties":{"idp":{"entity_id":"http://idp.example.com/walk{n}","redirect_binding_url":"https://idp.example.com/sso","want_request_signed":true},"sp":{"want_assertion_signed":true,"encrypt_response":true}},"secrets":{"idp":{},"sp":{}}}`
	crnOfLink   = `crn:v1:bluemix:public:is:us-south:a/{acct}::instance:walked`
	ownService  = `{"name":"walked-service-{n}","grants":[{"roles":["Reader"],"actions":["thing.read"]}]}`
	question    = `{"subject":{"attributes":{"id":"IBMid-WALKED"}},"action":"kms.secrets.list","resource":{"crn":"crn:v1:bluemix:public:kms::a/{acct}:i::"}}`
	profileTmpl = `"profile":{"name":"walked template {n}"}`
	settingTmpl = `"account_settings":{"mfa":"LEVEL1"}`
	policyTmpl  = `"policy":{"type":"access","resource":{"attributes":[{"key":"serviceName","operator":"stringEquals","value":"watson"}]},"control":{"grant":{"roles":[{"role_id":"` + viewer + `"}]}}}`
	// s2sTmpl is what can be assigned by itself.
	s2sTmpl = `"policy":{"type":"authorization","subject":{"attributes":[{"key":"serviceName","operator":"stringEquals","value":"compliance"}]},` +
		`"resource":{"attributes":[{"key":"serviceName","operator":"stringEquals","value":"kms"}]},"control":{"grant":{"roles":[{"role_id":"crn:v1:bluemix:public:iam::::serviceRole:Reader"}]}}}`
	controlTmpl = `"action_control":{"service_name":"am-test-service","actions":["am-test-service.test.create"]}`
	roleTmpl    = `"role":{"name":"Walked{n}","display_name":"Walked {n}","service_name":"am-test-service","actions":["am-test-service.test.create"]}`
	groupTmpl   = `"group":{"name":"walked group {n}"}`
)

// samples are by family and operation.
var samples = withTemplates(map[string]sample{
	"iamidentityv1.list_api_keys":           {query: "scope=account&account_id={acct}"},
	"iamidentityv1.create_api_key":          {body: `{"name":"walked {n}","iam_id":"iam-{id /v1/serviceids}","account_id":"{acct}"}`},
	"iamidentityv1.get_api_keys_details":    {header: "IAM-ApiKey: {key}"},
	"iamidentityv1.update_api_key":          {body: `{"name":"walked again {n}"}`},
	"iamidentityv1.create_service_id":       {body: `{"account_id":"{acct}","name":"walked {n}"}`},
	"iamidentityv1.update_service_id":       {body: `{"name":"walked again {n}"}`},
	"iamidentityv1.create_service_id_group": {body: `{"account_id":"{acct}","name":"walked {n}"}`},
	"iamidentityv1.update_service_id_group": {body: `{"name":"walked again {n}"}`},
	"iamidentityv1.create_profile":          {body: `{"account_id":"{acct}","name":"walked {n}"}`},
	"iamidentityv1.update_profile":          {body: `{"description":"walked again {n}"}`},
	"iamidentityv1.create_claim_rule":       {body: claimRule},
	"iamidentityv1.update_claim_rule":       {body: claimRule},
	"iamidentityv1.create_link":             {body: `{"cr_type":"VSI","name":"walked","link":{"crn":"` + crnOfLink + `"}}`},
	"iamidentityv1.delete_link_by_parameters": {query: "type=VSI&crn=crn:v1:bluemix:public:is:us-south:a%2F{acct}::instance:walked",
		before: []string{"create_link"}},
	"iamidentityv1.set_profile_identities":               {body: `{"identities":[]}`},
	"iamidentityv1.set_profile_identity":                 {body: `{"type":"user","identifier":"{identifier_id}","accounts":["{acct}"]}`},
	"iamidentityv1.get_profile_identity":                 {before: []string{"set_profile_identity"}},
	"iamidentityv1.delete_profile_identity":              {before: []string{"set_profile_identity"}},
	"iamidentityv1.update_account_settings":              {body: `{"mfa":"NONE"}`},
	"iamidentityv1.update_preference_on_scope_account":   {body: `{"value_string":"/walked"}`},
	"iamidentityv1.get_preferences_on_scope_account":     {before: []string{"update_preference_on_scope_account"}},
	"iamidentityv1.delete_preferences_on_scope_account":  {before: []string{"update_preference_on_scope_account"}},
	"iamidentityv1.bulk_list_account_entity_consumption": {body: `{}`},
	"iamidentityv1.create_idp":                           {body: samlIdP},
	"iamidentityv1.update_idp":                           {body: `{"name":"walked again {n}"}`},
	"iamidentityv1.import_saml_idp_metadata":             {body: "{metadata}"},
	"iamidentityv1.update_login_settings":                {body: `{"alias":"walked-{n}"}`},
	"iamidentityv1.get_idp_test_result":                  {before: []string{"test_idp"}},
	"iamidentityv1.add_idp_setting":                      {body: `{"cloud_user_strategy":"STATIC","active":true,"ui_default":false}`},
	"iamidentityv1.update_idp_setting":                   {body: `{"active":false}`, before: []string{"add_idp_setting"}},
	"iamidentityv1.get_idp_setting":                      {before: []string{"add_idp_setting"}},
	"iamidentityv1.remove_idp_setting":                   {before: []string{"add_idp_setting"}},

	// A report is made by a job, after the request for it.
	"iamidentityv1.get_report":        {before: []string{"get_report"}},
	"iamidentityv1.get_mfa_report":    {before: []string{"get_mfa_report"}},
	"iamidentityv1.get_mfa_status":    {query: "iam_id={member}"},
	"iamidentityv1.list_idp_settings": {query: "type=consumed"},

	"iampolicymanagementv1.create_policy":       {body: v1Policy},
	"iampolicymanagementv1.replace_policy":      {body: v1Policy},
	"iampolicymanagementv1.update_policy_state": {body: `{"state":"active"}`},
	"iampolicymanagementv1.create_v2_policy":    {body: v2Policy},
	"iampolicymanagementv1.replace_v2_policy":   {body: v2Policy},
	"iampolicymanagementv1.create_role":         {body: `{"name":"Walked{n}","display_name":"Walked {n}","account_id":"{acct}","service_name":"{id /kagiban/v1/services}","actions":["{id /kagiban/v1/services}.thing.read"]}`},
	"iampolicymanagementv1.replace_role":        {body: `{"display_name":"Walked {n}","actions":["{id /kagiban/v1/services}.thing.read"]}`},
	"iampolicymanagementv1.update_settings":     {body: `{"external_account_identity_interaction":{"identity_types":{"user":{"state":"monitor","external_allowed_accounts":[]}}}}`},

	"iamaccessgroupsv2.create_access_group":             {body: `{"name":"walked {n}"}`},
	"iamaccessgroupsv2.update_access_group":             {body: `{"description":"walked {n}"}`},
	"iamaccessgroupsv2.add_members_to_access_group":     {body: `{"members":[{"iam_id":"{iam_id}","type":"user"}]}`},
	"iamaccessgroupsv2.is_member_of_access_group":       {before: []string{"add_members_to_access_group"}},
	"iamaccessgroupsv2.remove_member_from_access_group": {before: []string{"add_members_to_access_group"}},
	"iamaccessgroupsv2.remove_members_from_access_group": {body: `{"members":["{iam_id}"]}`,
		before: []string{"add_members_to_access_group"}},
	"iamaccessgroupsv2.remove_member_from_all_access_groups": {before: []string{"add_member_to_multiple_access_groups"}},
	"iamaccessgroupsv2.add_member_to_multiple_access_groups": {body: `{"type":"user","groups":["{id /v2/groups}"]}`},
	"iamaccessgroupsv2.add_access_group_rule":                {body: groupRule},
	"iamaccessgroupsv2.replace_access_group_rule":            {body: groupRule},
	"iamaccessgroupsv2.update_account_settings":              {body: `{"public_access_enabled":true}`},

	"authz.authorize":                  {body: `[` + question + `]`},
	"authz.authorize_bulk":             {body: `{"subject":{"attributes":{"id":"IBMid-WALKED"}},"action":"kms.secrets.list","resources":{"uniqueAttributes":[{"accountId":"{acct}","serviceName":"kms"}]}}`},
	"authz.list_authorized_roles":      {body: `[` + question + `]`},
	"authz.explain_decision":           {body: question},
	"authz.list_authorized_identities": {body: question},
	"authz.compare_policy":             {body: `{"policy":` + v2Policy + `}`},

	"kagibanv1.report_leaked_key": {body: `{"apikey":"{key}"}`},

	"catalogadmin.create_service":  {body: ownService},
	"catalogadmin.replace_service": {body: `{"display_name":"Walked {n}"}`},

	"enterprisemanagementv1.create_enterprise":     {body: `{"source_account_id":"{fresh}","name":"walked {n}","primary_contact_iam_id":"{owner}"}`},
	"enterprisemanagementv1.list_account_groups":   {query: "enterprise_id={enterprise}"},
	"enterprisemanagementv1.list_accounts":         {query: "enterprise_id={enterprise}"},
	"enterprisemanagementv1.create_account":        {body: `{"parent":"{enterprise}","name":"walked {n}","owner_iam_id":"{owner}"}`},
	"enterprisemanagementv1.create_account_group":  {body: `{"parent":"{enterprise}","name":"walked {n}","primary_contact_iam_id":"{owner}"}`},
	"enterprisemanagementv1.update_account_group":  {body: `{"name":"walked {n}"}`},
	"enterprisemanagementv1.update_account":        {body: `{"parent":"{group}"}`},
	"enterprisemanagementv1.update_account_traits": {body: `{"enterprise_iam_managed":true}`},
	"enterprisemanagementv1.update_enterprise":     {body: `{"domain":"walked{n}.example.com"}`},
})

// templateKind is what differs between the kinds of template.
type templateKind struct{ family, templates, assignments, noun, assignment, payload, assigned string }

var templateKinds = []templateKind{
	{"iamidentityv1", "/v1/profile_templates", "/v1/profile_assignments", "profile_template", "trusted_profile_assignment", profileTmpl,
		profileTmpl},
	{"iamidentityv1", "/v1/account_settings_templates", "/v1/account_settings_assignments", "account_settings_template",
		"account_settings_assignment", settingTmpl, settingTmpl},
	{"iampolicymanagementv1", "/v1/policy_templates", "/v1/policy_assignments", "policy_template", "policy_template_assignment", policyTmpl,
		s2sTmpl},
	{"iampolicymanagementv1", "/v1/action_control_templates", "/v1/action_control_assignments", "action_control_template",
		"action_control_template_assignment", controlTmpl, controlTmpl},
	{"iampolicymanagementv1", "/v1/role_templates", "/v1/role_assignments", "role_template", "role_template_assignment", roleTmpl, roleTmpl},
	{"iamaccessgroupsv2", "/v1/group_templates", "/v1/group_assignments", "template", "assignment", groupTmpl, groupTmpl},
}

// withTemplates adds the samples of templates, which are alike for all kinds.
func withTemplates(samples map[string]sample) map[string]sample {
	for _, k := range templateKinds {
		whole := `{"name":"walked template {n}","account_id":"{acct}",` + k.payload + `}`
		final := `{final ` + k.templates + `}`
		target := `{"template_id":"` + final + `","template_version":1,"target_type":"Account","target":"{child}"}`
		again := `{"template_version":1}`
		switch k.family {
		case "iampolicymanagementv1":
			target = `{"target":{"type":"Account","id":"{child}"},"templates":[{"id":"` + final + `","version":"1"}]}`
			again = `{"template_version":"1"}`
		case "iamaccessgroupsv2":
			target = `{"template_id":"` + final + `","template_version":"1","target_type":"Account","target":"{child}"}`
			again = `{"template_version":"1"}`
		}
		version := `{` + k.payload + `}`
		for op, body := range map[string]string{
			"create_" + k.noun: whole, "create_" + k.noun + "_version": version, "update_" + k.noun + "_version": version,
			"replace_" + k.noun:      version,
			"create_" + k.assignment: target, "update_" + k.assignment: again, "update_" + k.noun[:max(0, len(k.noun)-len("_template"))] +
				"_assignment": again,
		} {
			s := samples[k.family+"."+op]
			s.body = body
			samples[k.family+"."+op] = s
		}
	}
	return samples
}
