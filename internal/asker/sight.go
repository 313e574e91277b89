package asker

import (
	"context"

	"github.com/kagiban/kagiban/internal/policy"
)

// Sight is what an asker may see of a list from which is left out what it may not
// see. It is made before anything is read, so that a list costs who sees nothing in
// an account nothing, however much there is, and who sees all of it one question.
type Sight struct {
	who    Asker
	action string
	extent policy.Extent
}

// Look gives the sight of all that a resource stands for. It must not be called
// inside a transaction.
func Look(ctx context.Context, who Asker, action string, on policy.Resource) (Sight, error) {
	extent, err := who.Extent(ctx, action, on)
	return Sight{who, action, extent}, err
}

// Nothing tells that the asker sees nothing: nothing need be read.
func (s Sight) Nothing() bool { return s.extent == policy.Nowhere }

// Sees tells whether the asker sees what is decided on one of some resources: an
// object, and places above it from where a right to the object reaches.
func (s Sight) Sees(ctx context.Context, on ...policy.Resource) (bool, error) {
	if s.extent != policy.Somewhere {
		return s.extent == policy.Everywhere, nil
	}
	for _, r := range on {
		if yes, err := s.who.May(ctx, s.action, r); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}
