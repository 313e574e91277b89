package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// instanceToken exchanges the token of a runtime for that of an instance.
func instanceToken(s *server, runtime []string, name string) answer {
	return s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:iam-authz"},
		"access_token": {strings.TrimPrefix(runtime[1], "Bearer ")}, "desired_iam_id": {"crn-" + name}})
}

// authorizedAs is the Authorization header of a token's answer.
func authorizedAs(t *testing.T, a answer) []string {
	t.Helper()
	var out struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.code != 200 {
		t.Fatalf("token: %d %s", a.code, a.body)
	}
	return []string{"Authorization", "Bearer " + out.Access}
}

// policyOf gives a role on something of the demo's enterprise account, or, with
// a source, authorizes a service to use it.
func policyOf(kind, subject, role, resource string) string {
	return fmt.Sprintf(`{"type":%q,"subject":{"attributes":[%s]},"control":{"grant":{"roles":[{"role_id":%q}]}},"resource":{"attributes":[%s]}}`, kind, subject, role, resource)
}

func attribute(key, value string) string {
	return fmt.Sprintf(`{"key":%q,"operator":"stringEquals","value":%q}`, key, value)
}

func TestAServiceReachesAnotherByAuthorizationPolicyOnly(t *testing.T) {
	s := run(t, nil)
	root, owner, runtime := s.Demo().Root, s.owner(), s.login(s.Demo().ServiceKey.Value)
	shop := "crn:v1:bluemix:public:web-shop:global:a/" + root + ":shop1::"
	kms := "crn:v1:bluemix:public:kms:global:a/" + root + ":kms1::"

	if a := instanceToken(s, runtime, shop); a.code != 403 || !strings.Contains(a.body, "BXNIM0501E") {
		t.Fatalf("without permission: %d %s", a.code, a.body)
	}
	const runtimeRole = "crn:v1:bluemix:public:kagiban::::serviceRole:ServiceRuntime"
	for _, service := range []string{"web-shop", "kms"} {
		s.want(201, "POST", "/v2/policies", policyOf("access", attribute("iam_id", "iam-"+s.Demo().ServiceID), runtimeRole,
			attribute("accountId", root)+","+attribute("serviceName", "kagiban")+","+attribute("resourceType", "service")+","+attribute("resource",
				service)), nil, owner...)
	}
	source := authorizedAs(t, instanceToken(s, runtime, shop))
	target := authorizedAs(t, instanceToken(s, runtime, kms))
	if a := instanceToken(s, runtime, strings.Replace(shop, "web-shop", "watson", 1)); a.code != 403 {
		t.Errorf("another service: %d %s", a.code, a.body)
	}

	// The target asks about the token that it was shown, and the source about itself.
	body := strings.Split(source[1], ".")[1]
	if _, err := base64.RawURLEncoding.DecodeString(body); err != nil {
		t.Fatal(err)
	}
	may := func(caller []string, subject string) bool {
		t.Helper()
		var out struct {
			Responses []struct {
				Status   string
				Decision struct{ Permitted bool } `json:"authorizationDecision"`
			}
		}
		s.want(200, "POST", "/v2/authz", fmt.Sprintf(`[{"subject":%s,"action":"kms.secrets.list","resource":{"crn":%q}}]`, subject, kms), &out,
			caller...)
		if len(out.Responses) != 1 || out.Responses[0].Status != "200" {
			t.Fatalf("answers %+v", out)
		}
		return out.Responses[0].Decision.Permitted
	}
	ask := func(want bool, when string) {
		t.Helper()
		shown, itself := may(target, `{"accessTokenBody":"`+body+`"}`), may(source, `{"attributes":{"id":"crn-`+shop+`"}}`)
		if shown != want || itself != want {
			t.Errorf("%s: the target reads %v, the source %v, want %v", when, shown, itself, want)
		}
	}
	ask(false, "without a policy")
	var made struct{ ID string }
	const reader = "crn:v1:bluemix:public:iam::::serviceRole:Reader"
	authorize := func(instance string) {
		s.want(201, "POST", "/v2/policies", policyOf("authorization",
			attribute("accountId", root)+","+attribute("serviceName", "web-shop")+","+attribute("serviceInstance", instance), reader,
			attribute("accountId", root)+","+attribute("serviceName", "kms")), &made, owner...)
	}
	authorize("shop2")
	ask(false, "with a policy of another instance")
	authorize("shop1")
	ask(true, "with the policy")
	s.want(204, "DELETE", "/v2/policies/"+made.ID, "", nil, owner...)
	ask(false, "after the policy")
}

func TestAnAuthorizationOfAnAccountGroupHoldsForTheAccountsInIt(t *testing.T) {
	s := run(t, nil)
	d, owner, runtime := s.Demo(), s.owner(), s.login(s.Demo().ServiceKey.Value)
	s.want(201, "POST", "/v2/policies", policyOf("access", attribute("iam_id", "iam-"+d.ServiceID),
		"crn:v1:bluemix:public:kagiban::::serviceRole:ServiceRuntime",
		attribute("accountId", d.Root)+","+attribute("serviceName", "kagiban")), nil, owner...)
	may := func(account string) bool {
		t.Helper()
		shop := "crn:v1:bluemix:public:web-shop:global:a/" + account + ":shop1::"
		token := authorizedAs(t, instanceToken(s, runtime, shop))
		var out struct {
			Responses []struct {
				Decision struct{ Permitted bool } `json:"authorizationDecision"`
			}
		}
		s.want(200, "POST", "/v2/authz",
			fmt.Sprintf(`[{"subject":{"accessTokenBody":%q},"action":"kms.secrets.list","resource":{"attributes":{"serviceName":"kms","accountId":%q}}}]`,
				strings.Split(token[1], ".")[1], d.Root), &out, owner...)
		return out.Responses[0].Decision.Permitted
	}
	for _, c := range []struct {
		key, value          string
		root, child, caller bool
	}{
		{"AccountGroupId", d.Group, false, true, false},
		{"enterpriseId", d.Enterprise, true, true, false},
	} {
		var made struct{ ID string }
		s.want(201, "POST", "/v2/policies", policyOf("authorization", attribute("serviceName", "web-shop")+","+attribute(c.key, c.value),
			"crn:v1:bluemix:public:iam::::serviceRole:Reader", attribute("accountId", d.Root)+","+attribute("serviceName", "kms")), &made, owner...)
		for account, want := range map[string]bool{d.Root: c.root, d.Child: c.child, d.Caller: c.caller} {
			if got := may(account); got != want {
				t.Errorf("by %s, from %s: %v, want %v", c.key, account, got, want)
			}
		}
		s.want(204, "DELETE", "/v2/policies/"+made.ID, "", nil, owner...)
	}
}
