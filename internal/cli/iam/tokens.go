package iam

import (
	"context"

	"github.com/kagiban/kagiban/internal/cli/shell"
)

func tokenVerbs() []shell.Verb {
	return []shell.Verb{
		{
			Use:      "oauth-tokens",
			Short:    "Print the access token of the session",
			Output:   true,
			Anywhere: true,
			Do: func(_ context.Context, c *shell.Call, session *shell.Session) error {
				value := "Bearer " + session.Token().Reveal()
				if c.WantsJSON() {
					return c.JSON(struct {
						Token string `json:"iam_token"`
					}{value})
				}
				c.Say("IAM token:  %s", value) // two spaces: scripts cut at them
				return nil
			},
		},
		{
			Use:      "bearer-token",
			Short:    "Print the bare access token of the session",
			Anywhere: true,
			Do: func(_ context.Context, c *shell.Call, session *shell.Session) error {
				c.Say("%s", session.Token().Reveal())
				return nil
			},
		},
	}
}
