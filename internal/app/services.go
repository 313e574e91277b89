package app

import (
	"context"
	"errors"

	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/token"
)

// actionAct lets a service ID or profile act as the instances of a service.
const actionAct = "kagiban.service.act"

// actAs decides who may act as a service: whom a policy of the operators'
// account gives the action on the service.
func (a *App) actAs(c *core) token.ActAs {
	return func(ctx context.Context, who policy.Subject, service string, env policy.Environment) (bool, error) {
		home, err := a.home(ctx)
		if errors.Is(err, fault.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		d, err := c.authority.Decide(ctx, policy.Request{Subject: who, Action: actionAct, Environment: env,
			Resource: policy.Resource{Account: home, ServiceName: "kagiban", ResourceType: "service", Resource: service}})
		return d.Allowed, err
	}
}

// placeIn finds the places of accounts in their enterprises, from memory when
// nothing has changed.
func placeIn(objects *cache.Cache) authority.Place {
	return func(ctx context.Context, account string) (string, []string, error) {
		m, err := cache.Get(ctx, objects, enterprise.Members, "", account)
		if errors.Is(err, fault.NotFound) {
			return "", nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		return m.Enterprise, m.Above, nil
	}
}
