package access

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// flags parses what a user wrote after a verb that writes a policy.
func flags(t *testing.T, args ...string) (*grant, *shell.Call) {
	t.Helper()
	var g grant
	set := pflag.NewFlagSet("verb", pflag.ContinueOnError)
	g.define(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &g, &shell.Call{Flags: set}
}

func session() *shell.Session {
	s := &shell.Session{}
	s.Claims.Account.ID = "acct"
	return s
}

func is(key, value string) client.Attribute {
	return client.Attribute{Key: key, Operator: equals, Value: value}
}

func TestFlagsDescribeResourcesAndWhoseRolesFit(t *testing.T) {
	account := is("accountId", "acct")
	for _, tt := range []struct {
		args  []string
		want  []client.Attribute
		roles url.Values
	}{
		{nil, []client.Attribute{account, is("serviceType", "service")}, url.Values{"service_type": {"service"}}},
		{[]string{"--region", "eu-de"}, []client.Attribute{account, is("region", "eu-de"), is("serviceType", "service")},
			url.Values{"service_type": {"service"}}},
		{[]string{"--account-management"}, []client.Attribute{account, is("serviceType", "platform_service")},
			url.Values{"service_type": {"platform_service"}}},
		{[]string{"--service-name", "kms", "--service-instance", "i"}, []client.Attribute{account, is("serviceName", "kms"),
			is("serviceInstance", "i")}, url.Values{"service_name": {"kms"}}},
		{[]string{"--resource-group-id", "g"}, []client.Attribute{account, is("resourceGroupId", "g")},
			url.Values{"service_type": {"*"}}},
		{[]string{"--resource-group-name", "*"}, []client.Attribute{account, {Key: "resourceGroupId", Operator: match, Value: "*"}},
			url.Values{"service_type": {"*"}}},
		{[]string{"--resource-type", "resource-group", "--resource", "g"}, []client.Attribute{account, is("resourceType", "resource-group"),
			is("resource", "g")}, url.Values{"service_type": {"*"}}},
		{[]string{"--attributes", "service_group_id=IAM,a=b=c?"}, []client.Attribute{account, is("service_group_id", "IAM"),
			{Key: "a", Operator: match, Value: "b=c?"}}, url.Values{"service_group_id": {"IAM"}}},
	} {
		g, c := flags(t, tt.args...)
		if err := g.check(c); err != nil {
			t.Errorf("%v: %v", tt.args, err)
		}
		got, _, err := g.scope(t.Context(), session())
		if err != nil {
			t.Errorf("%v: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.args, diff)
		}
		if diff := cmp.Diff(tt.roles, rolesFor(got)); diff != "" {
			t.Errorf("%v: roles (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestAPolicyOfASortOfHolder(t *testing.T) {
	for _, tt := range []struct{ key, value, kind string }{
		{"iam_id", "IBMid-1", "user"}, {"iam_id", "iam-ServiceId-1", "service_id"}, {"iam_id", "iam-Profile-1", "trusted_profile"},
		{"access_group_id", "AccessGroupId-1", "access_group"}, {"iam_id", "crn-x", ""},
	} {
		for _, x := range subjects {
			if x.owns(&client.Policy{Subject: []client.Attribute{is(tt.key, tt.value)}}) != (x.kind == tt.kind) {
				t.Errorf("%s and %s", tt.value, x.kind)
			}
		}
	}
}

func TestYouAreNamedByYourAddress(t *testing.T) {
	s := session()
	s.Claims.IAMID, s.Claims.Email = "IBMid-7", "me@example.com"
	for name, want := range map[string]string{"Me@Example.com": "IBMid-7", "IBMid-8": "IBMid-8", "you@example.com": ""} {
		got, err := userID(t.Context(), s, name)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestABlockIsATableBelowItsKey(t *testing.T) {
	got := block([]client.Attribute{is("accountId", "a"), is("region", "eu"), is("custom", "x"),
		{Key: "resource", Operator: match, Value: "y*"}}, "accountId")
	want := "\nRegion     eu\ncustom     x\nResource   y* (stringMatch)"
	if got != want {
		t.Errorf("got %q", got)
	}
}
