package access

import (
	"context"
	"strings"

	"github.com/kagiban/kagiban/internal/cli/iam"
	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// subjectID gives the IAM ID of whom a user wrote: by IAM ID, ID or name. What is
// neither is taken for an IAM ID: the answer tells whether anybody has it.
func subjectID(ctx context.Context, session *shell.Session, text string) (string, error) {
	switch {
	case text == "me":
		return session.Claims.IAMID, nil
	case strings.HasPrefix(text, "ServiceId-"), strings.HasPrefix(text, "Profile-"):
		return "iam-" + text, nil
	case strings.HasPrefix(text, "iam-"), strings.HasPrefix(text, "crn-"):
		return text, nil
	case strings.Contains(text, "@"):
		return userID(ctx, session, text)
	}
	services, err := called(ctx, session, iam.ServiceIDs, text)
	if err != nil {
		return "", err
	}
	profiles, err := called(ctx, session, iam.Profiles, text)
	if err != nil {
		return "", err
	}
	switch found := append(services, profiles...); len(found) {
	case 0:
		return text, nil
	case 1:
		return "iam-" + found[0], nil
	default:
		return "", shell.Problemf("Several service IDs or trusted profiles are named %s. Give the ID of one of them:\n  %s", text,
			strings.Join(found, "\n  "))
	}
}

// called gives the IDs of the objects with a name; none to who may not list them.
func called[T any](ctx context.Context, session *shell.Session, k object.Kind[T], name string) (ids []string, err error) {
	list, err := k.Like(ctx, session, name)
	if client.IsForbidden(err) {
		return nil, nil
	}
	for _, o := range list {
		if id, n := k.Key(o.Value); n == name {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// unknown tells whether the account knows nothing of the subject: no name, no
// policy of its own, no group that lists it.
func (e *explanation) unknown() bool {
	if e.Name != "" || e.Owner {
		return false
	}
	for _, p := range e.Candidates {
		if p.GroupID == "" {
			return false
		}
	}
	for _, g := range e.Groups {
		if g.How != "public" {
			return false
		}
	}
	return true
}

func nobody(session *shell.Session, text string) error {
	return shell.Problemf("Nobody in account %s is %s: no user, service ID or trusted profile, and no policy or access group names it.\n"+
		"See 'kagiban iam service-ids' and 'kagiban iam trusted-profiles'. Name users by their IAM ID, such as IBMid-1234567890.",
		session.Account(), text)
}
