package main

import (
	"fmt"
	"strings"
)

// sdkModule is the module whose packages carry the integration suites; its
// version is pinned in this module's go.mod.
const sdkModule = "github.com/IBM/platform-services-go-sdk/"

// suite says how one official integration suite is configured: it reads a file
// of PREFIX_KEY=VALUE lines one folder above its working folder.
type suite struct {
	name    string // package of the SDK
	file    string
	prefix  string
	urlPath string // what this client expects behind the host
	// second is the prefix of a second identity's lines, which use
	// KAGIBAN_ADMIN_APIKEY; empty when the suite has one identity.
	second string
	keys   []key
}

// key maps one of the suite's own settings to a key of kagiban's environment
// file (without its KAGIBAN_ prefix).
type key struct{ setting, from string }

var suites = []suite{
	{
		name: "iamidentityv1", file: "iam_identity.env", prefix: "IAM_IDENTITY",
		keys: []key{
			{"ACCOUNT_ID", "ACCOUNT_ID"},
			{"IAM_ID", "IAM_ID"},
			{"ENTERPRISE_ACCOUNT_ID", "ENTERPRISE_ACCOUNT_ID"},
			{"ENTERPRISE_SUBACCOUNT_ID", "ENTERPRISE_SUBACCOUNT_ID"},
		},
	},
	{
		name: "iampolicymanagementv1", file: "iam_policy_management.env", prefix: "IAM_POLICY_MANAGEMENT",
		keys: []key{
			{"TEST_ACCOUNT_ID", "ENTERPRISE_ACCOUNT_ID"},
			{"TEST_TARGET_ACCOUNT_ID", "ENTERPRISE_SUBACCOUNT_ID"},
		},
	},
	{
		name: "iamaccessgroupsv2", file: "iam_access_groups_v2.env", prefix: "IAM_ACCESS_GROUPS",
		keys: []key{
			{"TEST_ACCOUNT_ID", "ENTERPRISE_ACCOUNT_ID"},
			{"TEST_POLICY_TEMPLATE_ID", "POLICY_TEMPLATE_ID"},
			{"TEST_ACCOUNT_GROUP_ID", "ACCOUNT_GROUP_ID"},
		},
	},
	{
		name: "enterprisemanagementv1", file: "enterprise_management.env", prefix: "ENTERPRISE_MANAGEMENT", urlPath: "/v1",
		keys: []key{
			{"ENTERPRISE_ID", "ENTERPRISE_ID"},
			{"ACCOUNT_ID", "ENTERPRISE_ACCOUNT_ID"},
			{"ACCOUNT_IAM_ID", "IAM_ID"},
		},
	},
	{
		name: "resourcecontrollerv2", file: "resource_controller.env", prefix: "RESOURCE_CONTROLLER",
		keys: []key{
			{"ACCOUNT_ID", "ACCOUNT_ID"},
			{"RESOURCE_GROUP", "RESOURCE_GROUP_ID"},
			{"PLAN_ID", "PLAN_ID"},
			{"RECLAMATION_PLAN_ID", "RECLAMATION_PLAN_ID"},
			{"ORGANIZATION_GUID", "ORG_ID"},
			{"SPACE_GUID", "SPACE_ID"},
			{"APPLICATION_GUID", "APP_ID"},
		},
	},
	{
		name: "resourcemanagerv2", file: "resource_manager.env", prefix: "RESOURCE_MANAGER", second: "ALT_RESOURCE_MANAGER",
		keys: []key{
			{"QUOTA_ID", "QUOTA_ID"},
			{"USER_ACCOUNT_ID", "ACCOUNT_ID"},
		},
	},
	{
		name: "usagereportsv4", file: "usage_reports.env", prefix: "USAGE_REPORTS",
		keys: []key{
			{"ACCOUNT_ID", "ACCOUNT_ID"},
			{"RESOURCE_GROUP_ID", "RESOURCE_GROUP_ID"},
			{"ORG_ID", "ORG_ID"},
			{"BILLING_MONTH", "BILLING_MONTH"},
			{"COS_BUCKET", "COS_BUCKET"},
			{"COS_LOCATION", "COS_LOCATION"},
			{"DATE_FROM", "DATE_FROM"},
			{"DATE_TO", "DATE_TO"},
		},
	},
	{name: "usagemeteringv4", file: "usage_metering.env", prefix: "USAGE_METERING"},
	{
		name: "usermanagementv1", file: "user_management.env", prefix: "USER_MANAGEMENT", second: "USER_MANAGEMENT_ADMIN",
		keys: []key{
			{"ACCOUNT_ID", "ACCOUNT_ID"},
			{"USER_ID", "USER_ID"},
			{"MEMBER_EMAIL", "MEMBER_EMAIL"},
			{"VIEWER_ROLE_ID", "VIEWER_ROLE_ID"},
			{"ACCESS_GROUP_ID", "ACCESS_GROUP_ID"},
		},
	},
	{
		name: "enterpriseusagereportsv1", file: "enterprise_usage_reports.env", prefix: "ENTERPRISE_USAGE_REPORTS",
		keys: []key{
			{"ACCOUNT_ID", "ENTERPRISE_ACCOUNT_ID"},
			{"ENTERPRISE_ID", "ENTERPRISE_ID"},
			{"ACCOUNT_GROUP_ID", "ACCOUNT_GROUP_ID"},
			{"BILLING_MONTH", "BILLING_MONTH"},
		},
	},
	{
		name: "contextbasedrestrictionsv1", file: "context_based_restrictions_v1.env", prefix: "CONTEXT_BASED_RESTRICTIONS",
		keys: []key{
			{"TEST_ACCOUNT_ID", "ACCOUNT_ID"},
			{"TEST_SERVICE_NAME", "SERVICE_NAME"},
		},
	},
}

func findSuite(name string) (suite, error) {
	var names []string
	for _, s := range suites {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	return suite{}, fmt.Errorf("there is no suite %q; known: %s", name, strings.Join(names, ", "))
}

// configuration renders the suite's file from the server's environment. missing
// names the keys that the server did not give: the suite's own checks then fail
// for a reason that its output does not show.
func (s suite) configuration(env map[string]string) (text string, missing []string) {
	var b strings.Builder
	get := func(name string) string {
		value := env["KAGIBAN_"+name]
		if value == "" {
			missing = append(missing, "KAGIBAN_"+name)
		}
		return value
	}
	identity := func(prefix, apikey string) {
		fmt.Fprintf(&b, "%s_URL=%s%s\n", prefix, get("URL"), s.urlPath)
		fmt.Fprintf(&b, "%s_AUTHTYPE=iam\n", prefix)
		fmt.Fprintf(&b, "%s_AUTH_URL=%s\n", prefix, get("URL"))
		fmt.Fprintf(&b, "%s_APIKEY=%s\n", prefix, get(apikey))
	}
	identity(s.prefix, "APIKEY")
	if s.second != "" {
		identity(s.second, "ADMIN_APIKEY")
	}
	for _, k := range s.keys {
		fmt.Fprintf(&b, "%s_%s=%s\n", s.prefix, k.setting, get(k.from))
	}
	return b.String(), missing
}
