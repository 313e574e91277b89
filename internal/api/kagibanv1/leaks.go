package kagibanv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/secret"
)

type leakIn struct {
	Body struct {
		APIKey string `json:"apikey"`
	}
}

func (in *leakIn) check() error {
	if in.Body.APIKey == "" {
		return fault.Missing("apikey")
	}
	return nil
}

// Leak tells whose key it was that was found in public, and what was done.
type Leak struct {
	ID        string `json:"id"`
	AccountID string `json:"account_id"`
	IAMID     string `json:"iam_id"`
	Action    string `json:"action"` // none, disable, delete: the key's action_when_leaked
}

// atHome is the resource of what concerns all accounts: it is for the operators
// of the installation.
func atHome[In any](a *API, resourceType string) func(context.Context, *httpapi.Call, *In) (httpapi.None, httpapi.Target, error) {
	return func(ctx context.Context, _ *httpapi.Call, _ *In) (httpapi.None, httpapi.Target, error) {
		home, err := a.cfg.Home(ctx)
		return httpapi.None{}, httpapi.Target{Account: home, ServiceName: "kagiban", ResourceType: resourceType}, err
	}
}

// reportLeak does what the key's owner asked for. The key is looked for only
// here: nothing of it may show to who may not tell of leaks.
func (a *API) reportLeak(ctx context.Context, _ *httpapi.Call, in *leakIn, _ httpapi.None) (*Leak, error) {
	key, done, err := a.cfg.Identities.LeakedKey(ctx, secret.New(in.Body.APIKey))
	if err != nil {
		return nil, err
	}
	return &Leak{ID: key.ID, AccountID: key.Account, IAMID: key.Owner, Action: done}, nil
}
