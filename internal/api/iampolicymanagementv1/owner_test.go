package iampolicymanagementv1

import (
	"slices"
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
		name   string
		target []m
		roles  []policy.Role
	}
	var places []place
	var every []policy.Role
	for _, service := range catalog.Services() {
		roles := catalog.RolesOf(service.Name)
		places = append(places, place{service.Name, []m{is("serviceName", service.Name)}, roles})
		for _, r := range roles {
			if !slices.ContainsFunc(every, func(x policy.Role) bool { return x.CRN == r.CRN }) {
				every = append(every, r)
			}
		}
	}
	of := func(serviceType string) (out []policy.Role) {
		for _, r := range every {
			if slices.ContainsFunc(places, func(p place) bool {
				return catalog.ServiceType(p.name) == serviceType &&
					slices.ContainsFunc(p.roles, func(x policy.Role) bool { return x.CRN == r.CRN })
			}) {
				out = append(out, r)
			}
		}
		return out
	}
	places = append(places,
		place{"all services", []m{is("serviceType", "service")}, of("service")},
		place{"all account management services", []m{is("serviceType", "platform_service")}, of("platform_service")},
		place{"the IAM services", []m{is("service_group_id", "IAM")}, catalog.RolesOfGroup("IAM")},
		place{"a resource group itself", []m{is("resourceType", "resource-group")}, every},
		place{"what is in a resource group", []m{is("resourceGroupId", "rg")}, every},
		place{"what is in any resource group", []m{is("resourceGroupId", "*")}, every},
		place{"every service", []m{is("serviceName", "*")}, every},
	)
	for _, version := range []string{"v1", "v2"} {
		subjects := map[string][]m{
			"access":        {is("iam_id", "IBMid-"+version)},
			"authorization": {is("accountId", acct), is("serviceName", "source-"+version)},
		}
		for kind, subject := range subjects {
			for _, p := range places {
				var crns []string
				for _, r := range p.roles {
					crns = append(crns, r.CRN)
				}
				body := giving(version, kind, subject, append(slices.Clone(p.target), is("accountId", acct)), roleIDs(crns...))
				if a := s.Do(owner, "POST", "/"+version+"/policies", body); a.Status != 201 {
					t.Errorf("%s, %s of all roles on %s: %d %s", version, kind, p.name, a.Status, a.Body)
				}
			}
		}
	}
}
