// Package access holds the verbs of "kagiban iam" on who may do what: policies,
// authorizations, roles, access groups, and questions about decisions. It turns
// flags into documents of the API; what those mean is the server's business.
package access

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/cli/shell"
)

// AddVerbs gives "kagiban iam" the verbs of this package.
func AddVerbs(s *shell.Shell, iam *cobra.Command) {
	for _, g := range []struct {
		title string
		verbs []shell.Verb
	}{
		{"Access groups", slices.Concat(groupVerbs(), memberVerbs(), ruleVerbs())},
		{"Policies", slices.Concat(policyVerbs(), accountPolicyVerbs(), authorizationVerbs())},
		{"Roles", roleVerbs()},
		{"Settings of access", settingsVerbs()},
		{"Why and who", decisionVerbs()},
	} {
		iam.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, v := range g.verbs {
			cmd := s.Command(v)
			cmd.GroupID = g.title
			iam.AddCommand(cmd)
		}
	}
}
