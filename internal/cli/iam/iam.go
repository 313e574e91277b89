// Package iam holds the verbs of "kagiban iam" on identities: tokens, trusted
// profiles, service IDs, API keys and account settings. Each verb is a table or a
// detail view around a few calls of the APIs; it decides nothing.
package iam

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/cli/shell"
)

// group is a section of the help text of "kagiban iam".
type group struct {
	title string
	verbs []shell.Verb
}

// Command is "kagiban iam". A further group of verbs is one line here.
func Command(s *shell.Shell) *cobra.Command {
	cmd := shell.Group("iam", "Manage identities and access: profiles, service IDs, API keys, groups, policies, roles")
	for _, g := range []group{
		{"Session", slices.Concat(tokenVerbs(), assumeVerbs())},
		{"Trusted profiles", slices.Concat(profileVerbs(), identityVerbs(), linkVerbs(), ruleVerbs())},
		{"Service IDs", slices.Concat(serviceIDVerbs(), []shell.Verb{serviceKeysVerb()}, serviceKeys.all(), serviceGroupVerbs())},
		{"Your API keys", append([]shell.Verb{apiKeysVerb()}, ownKeys.all()...)},
		{"Account settings", slices.Concat(settingsVerbs(), usageVerbs())},
	} {
		cmd.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, v := range g.verbs {
			sub := s.Command(v)
			sub.GroupID = g.title
			cmd.AddCommand(sub)
		}
	}
	return cmd
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
