package iampolicymanagementv1

import (
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/policy"
)

// giving gives a body of either schema that gives roles on a target.
func giving(version, kind string, subject, target []m, roles []m) m {
	if version == "v2" {
		return m{"type": kind, "control": m{"grant": m{"roles": roles}}, "subject": m{"attributes": subject},
			"resource": m{"attributes": target}}
	}
	v1Form := func(list []m) []m {
		out := make([]m, len(list))
		for i, a := range list {
			out[i] = m{"name": a["key"], "value": a["value"]}
		}
		return out
	}
	return m{"type": kind, "roles": roles, "subjects": []m{{"attributes": v1Form(subject)}},
		"resources": []m{{"attributes": v1Form(target)}}}
}

func is(key, value string) m { return m{"key": key, "operator": "stringEquals", "value": value} }

// roleIDs words roles as documents name them.
func roleIDs(crns ...string) []m {
	out := make([]m, len(crns))
	for i, crn := range crns {
		out[i] = m{"role_id": crn}
	}
	return out
}

// The owner of an account lacks nothing that there is in it, and so gives every
// role, to identities and to services.
func TestTheOwnerGivesEveryRoleOfTheCatalogue(t *testing.T) {
	s := serve(t, func(o *apitest.Options) { o.Access = access.Limits{Policies: 1 << 20, PoliciesPerOwner: 1 << 20} })
	catalog, _ := s.Registry.Current()
	type place struct {
		name, key, value string
	}
	places := []place{
		{"all services", "serviceType", "service"},
		{"all account management services", "serviceType", "platform_service"},
		{"the IAM services", "service_group_id", "IAM"},
		{"a resource group itself", "resourceType", "resource-group"},
		{"what is in a resource group", "resourceGroupId", "rg"},
		{"what is in any resource group", "resourceGroupId", "*"},
		{"every service", "serviceName", "*"},
		{"a service that nobody described", "serviceName", "unheard-of"},
	}
	for _, service := range catalog.Services() {
		places = append(places, place{service.Name, "serviceName", service.Name})
	}
	for _, version := range []string{"v1", "v2"} {
		subjects := map[string][]m{
			"access":        {is("iam_id", "IBMid-"+version)},
			"authorization": {is("accountId", acct), is("serviceName", "source-"+version)},
		}
		for kind, subject := range subjects {
			for _, p := range places {
				var crns []string
				offered := policy.Attribute{Key: p.key, Operator: policy.OpStringEquals, Value: policy.String(p.value)}
				for _, r := range catalog.Offered([]policy.Attribute{offered}) {
					crns = append(crns, r.CRN)
				}
				body := giving(version, kind, subject, []m{is(p.key, p.value), is("accountId", acct)}, roleIDs(crns...))
				if a := s.Do(owner, "POST", "/"+version+"/policies", body); a.Status != 201 {
					t.Errorf("%s, %s of all roles on %s: %d %s", version, kind, p.name, a.Status, a.Body)
				}
			}
		}
	}
}
