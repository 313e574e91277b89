package token

import (
	"context"

	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// activitySubject is the subject under which an identity is counted: the object
// id of a service ID or profile ("ServiceId-…"), the IAM id of a user.
func activitySubject(iamID string) string {
	if objectID, ok := id.OfIAM(iamID); ok {
		return objectID
	}
	return iamID
}

// Activity gives the authentications of an API key, service ID or profile (by
// object id; IAM ids do too) or user (by IAM id) in an account, those included
// that are not written yet. On several nodes those of the others follow when
// they write.
func (s *Service) Activity(ctx context.Context, account, subject string) (store.Activity, error) {
	return s.activity.Get(ctx, account, activitySubject(subject))
}

// ListActivity gives the authentications of all subjects of an account that
// ever had one, in no order.
func (s *Service) ListActivity(ctx context.Context, account string) ([]store.Activity, error) {
	return s.activity.List(ctx, account)
}
