package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/cli/access"
	"github.com/kagiban/kagiban/internal/cli/enterprise"
	"github.com/kagiban/kagiban/internal/cli/iam"
	"github.com/kagiban/kagiban/internal/cli/shell"
)

// clientCommands call a server. A further group of verbs is one line here.
func clientCommands(s *streams) []*cobra.Command {
	sh := &shell.Shell{
		In: s.in, Out: s.out, Err: s.err, Getenv: s.getenv,
		Version: version(), Now: time.Now, NewID: shell.RandomID,
	}
	identities := iam.Command(sh)
	access.AddVerbs(sh, identities)
	enterprise.AddTemplateVerbs(sh, identities)
	return []*cobra.Command{
		loginCommand(sh),
		logoutCommand(sh),
		targetCommand(sh),
		apiCommand(sh),
		configCommand(sh),
		accountCommand(sh),
		versionCommand(sh),
		identities,
		enterprise.Command(sh),
		eventsCommand(sh),
		jobsCommand(sh),
		leakedKeyCommand(sh),
	}
}
