package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/client"
)

func commands(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	found := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			found[strings.TrimPrefix(sub.CommandPath(), "kagiban ")] = sub
			walk(sub)
		}
	}
	walk(newRoot(&streams{out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }}))
	return found
}

// The verbs of the official command line that this one has too: scripts that
// use them need nothing but another name.
func TestOfficialVerbsAreThere(t *testing.T) {
	found := commands(t)
	official := []string{"api", "login", "logout", "target", "config", "version", "account show"}
	for _, verb := range []string{
		"oauth-tokens", "account-settings", "account-settings-update",
		"service-ids", "service-id", "service-id-create", "service-id-update", "service-id-delete", "service-id-lock", "service-id-unlock",
		"api-keys", "api-key-create", "api-key-update", "api-key-delete", "api-key-lock", "api-key-unlock", "api-key-disable", "api-key-enable",
		"service-api-keys", "service-api-key", "service-api-key-create", "service-api-key-update", "service-api-key-delete",
		"service-api-key-lock", "service-api-key-unlock", "service-api-key-disable", "service-api-key-enable",
		"trusted-profiles", "trusted-profile", "trusted-profile-create", "trusted-profile-update", "trusted-profile-delete",
		"trusted-profile-assume", "trusted-profile-leave",
		"trusted-profile-link-create", "trusted-profile-links", "trusted-profile-link-delete",
		"trusted-profile-identity-create", "trusted-profile-identity", "trusted-profile-identities", "trusted-profile-identity-delete",
		"trusted-profile-rule-create", "trusted-profile-rule-update", "trusted-profile-rules", "trusted-profile-rule-delete",
		"roles", "role-create", "access-policies", "account-policies",
		"authorization-policy-create", "authorization-policy", "authorization-policies", "authorization-policy-delete",
		"access-groups", "access-group", "access-group-create", "access-group-update", "access-group-delete",
		"identity-limits", "access-groups-usage", "api-keys-usage", "cr-links-usage", "cr-rules-usage", "identity-providers-usage",
		"service-id-groups-usage", "templates-usage", "trusted-profiles-usage",
	} {
		official = append(official, "iam "+verb)
	}
	for _, member := range []string{"user", "service-id", "trusted-profile"} {
		for _, end := range []string{"s", "-add", "-remove", "-purge"} {
			official = append(official, "iam access-group-"+member+end)
		}
	}
	for _, subject := range []string{"user", "service", "access-group", "trusted-profile"} {
		for _, end := range []string{"policies", "policy", "policy-create", "policy-update", "policy-delete"} {
			official = append(official, "iam "+subject+"-"+end)
		}
	}
	for _, kind := range []string{"trusted-profile", "account-settings", "access-policy", "access-group", "role", "action-control"} {
		for _, end := range []string{"templates", "template-create", "template-version", "template-versions", "template-version-create",
			"template-version-update",
			"template-version-commit", "template-version-delete", "assignments", "assignment", "assignment-create", "assignment-update",
			"assignment-delete"} {
			official = append(official, "iam "+kind+"-"+end)
		}
	}
	for _, path := range official {
		if found[path] == nil {
			t.Errorf("kagiban %s is missing", path)
		}
	}
}

func TestEveryClientVerbSpeaksTheSameFlags(t *testing.T) {
	for path, c := range commands(t) {
		if !strings.HasPrefix(path, "iam ") && path != "login" && path != "target" {
			continue
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its line in the help is %q", path, c.Short)
		}
		for name, short := range map[string]string{"quiet": "q", "output": "o", "force": "f", "description": "d"} {
			flag := c.Flags().Lookup(name)
			if name == "quiet" && flag == nil {
				t.Errorf("%s has no --quiet", path)
			}
			if flag != nil && flag.Shorthand != short {
				t.Errorf("%s: -%s for --%s", path, flag.Shorthand, name)
			}
		}
		deletes := strings.HasSuffix(path, "-delete")
		if deletes && c.Flags().Lookup("force") == nil {
			t.Errorf("%s cannot be told not to ask", path)
		}
		if makes := strings.HasSuffix(path, "-create"); makes && c.Flags().Lookup("output") == nil {
			t.Errorf("%s cannot print JSON", path)
		}
	}
}

func TestAResourceGroupIsTargetedByNameOrID(t *testing.T) {
	status := 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/resource_groups" || r.URL.Query().Get("account_id") != "acct" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"resources":[{"id":"rg1","name":"Default"},{"id":"rg2","name":"other"}]}`)
	}))
	defer server.Close()
	api := client.New(client.Config{Base: server.URL, NewID: func() string { return "id" }})
	for wanted, want := range map[string]settings.ResourceGroup{
		"other": {GUID: "rg2", Name: "other"}, "rg1": {GUID: "rg1", Name: "Default"}, "none": {},
	} {
		got, err := findResourceGroup(t.Context(), api, "acct", wanted)
		if got != want || (err == nil) != (want.GUID != "") {
			t.Errorf("%s: %+v, %v", wanted, got, err)
		}
	}
	status = 404
	if _, err := findResourceGroup(t.Context(), api, "acct", "x"); err == nil ||
		!strings.HasPrefix(err.Error(), "Could not target resource group x:\nRemote server error. Status code: 404") {
		t.Errorf("got %v", err)
	}
}
