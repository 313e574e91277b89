package access_test

import (
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/policy"
)

const acct = apitest.Account

func serve(t testing.TB) *apitest.Server { return apitest.New(t, nil) }

// doc is a policy that gives a subject a role on a service.
func doc(subject, role, service string) *policy.Policy {
	key := policy.AttrIAMID
	if strings.HasPrefix(subject, "AccessGroupId-") {
		key = policy.AttrAccessGroupID
	}
	attribute := func(k, v string) policy.Attribute {
		return policy.Attribute{Key: k, Operator: policy.OpStringEquals, Value: policy.String(v)}
	}
	return &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive, RoleIDs: []string{apitest.Role(role)},
		Subject:  []policy.Attribute{attribute(key, subject)},
		Resource: []policy.Attribute{attribute(policy.AttrAccountID, acct), attribute(policy.AttrServiceName, service)}}
}
