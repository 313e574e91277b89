// Package tutorial plays the published tutorial on managing the resources of
// all accounts of an enterprise with one service ID: it sends the tutorial's
// requests to a server, field by field as they are printed there, and shows
// each of them with its answer. It is a client and knows nothing of how a
// server does it; the server's address and the key come from the caller.
package tutorial

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// Config says where and with what to play. All fields but Group are required.
type Config struct {
	// Base is the server's URL, without a slash at its end.
	Base string
	// Key is the API key of an identity of the enterprise account that holds
	// the two template roles.
	Key secret.Value
	// Group is the account group to assign to; "" takes the first one.
	Group string
	Out   io.Writer
	HTTP  *http.Client
}

// poll is how often a running assignment is asked about.
const poll = 100 * time.Millisecond

// Outcome is what the steps made.
type Outcome struct {
	Account, Group       string
	ServiceID            string
	PolicyTemplates      []string
	ProfileTemplate      string
	Assignment           string
	Status               string // of the assignment at its end
	Profiles             []Profile
	operatorKey          string
	setupToken, operator string
}

// Profile is a trusted profile that the operations service ID may use.
type Profile struct {
	ID         string `json:"id"`
	IAMID      string `json:"iam_id"`
	Account    string `json:"account_id"`
	Template   string `json:"template_id"`
	Assignment string `json:"assignment_id"`
	// Token is what step 8 got for it.
	Token secret.Value `json:"-"`
}

type player struct {
	Config
	Outcome
}

// Play plays steps 1 to 8. What they made so far is in the outcome even when
// one of them fails.
func Play(ctx context.Context, cfg Config) (*Outcome, error) {
	p := &player{Config: cfg}
	for i, step := range []struct {
		title, about string
		run          func(context.Context) error
	}{
		{"Obtain an access token", "Somebody who may create and assign templates logs in, once.", p.token},
		{"Create the operations service ID and its API key", "The one identity that will manage all accounts. It has no access of its own.",
			p.service},
		{"Create the access policy templates", "What the profile will be allowed to do, in every account.", p.policies},
		{"Create the trusted profile template", "A profile that trusts the service ID, with both policies.", p.profile},
		{"Assign the trusted profile template to an account group",
			"The server makes the profile in each account of the group, and in those that join it later.", p.assign},
		{"Get the service ID's access token", "From here on only the service ID's key is needed.", p.operate},
		{"Get a list of trusted profiles for the service ID", "One in each account of the group.", p.list},
		{"Create an access token for the child accounts' trusted profiles", "With such a token the service ID acts inside the account.",
			p.assume},
	} {
		p.say("Step %d. %s\n        %s\n", i+1, step.title, step.about)
		if err := step.run(ctx); err != nil {
			return &p.Outcome, fmt.Errorf("step %d of the tutorial: %w", i+1, err)
		}
	}
	p.say("The service ID has a token for %d account(s).\n", len(p.Profiles))
	return &p.Outcome, nil
}

func (p *player) token(ctx context.Context) (err error) {
	if p.setupToken, err = p.login(ctx, p.Key.Reveal()); err != nil {
		return err
	}
	claims, err := claimsOf(p.setupToken)
	p.Account = claims.Account.ID
	return err
}

func (p *player) login(ctx context.Context, key string) (string, error) {
	var out struct {
		Token string `json:"access_token"`
	}
	err := p.form(ctx, "/identity/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key}}, &out)
	return out.Token, err
}

func (p *player) service(ctx context.Context) error {
	var made struct {
		ID string `json:"id"`
	}
	err := p.post(ctx, "/v1/serviceids", object{
		"name": "Operator resource manager identity", "description": "Operator service id to manage resources in child accounts",
		"account_id": p.Account,
	}, &made)
	if err != nil {
		return err
	}
	p.ServiceID = made.ID
	var key struct {
		Value string `json:"apikey"`
	}
	// The tutorial gives the service ID's id, not its IAM id, as iam_id.
	err = p.post(ctx, "/v1/apikeys", object{
		"name": "Operator resource manager apikey", "description": "Operator key to manage resources in child accounts",
		"iam_id": p.ServiceID, "account_id": p.Account, "store_value": false,
	}, &key)
	p.operatorKey = key.Value
	return err
}

func (p *player) policies(ctx context.Context) error {
	for _, t := range []struct{ name, about, policy, key, value string }{
		{"ServiceAdministrator", "Manage services", "Manage all services", "serviceType", "service"},
		{"ResourceGroupAdministrator", "Resource Group Administrator", "Manage all Resource Groups", "resourceType", "resource-group"},
	} {
		var made struct {
			ID string `json:"id"`
		}
		err := p.post(ctx, "/v1/policy_templates", object{
			"name": t.name, "description": t.about, "account_id": p.Account, "committed": true,
			"policy": object{
				"type": "access", "description": t.policy,
				"resource": object{"attributes": []object{{"key": t.key, "operator": "stringEquals", "value": t.value}}},
				"control":  object{"grant": object{"roles": []object{{"role_id": "crn:v1:bluemix:public:iam::::role:Administrator"}}}},
			},
		}, &made)
		if err != nil {
			return err
		}
		p.PolicyTemplates = append(p.PolicyTemplates, made.ID)
	}
	return nil
}

func (p *player) profile(ctx context.Context) error {
	var references []object
	for _, t := range p.PolicyTemplates {
		references = append(references, object{"id": t, "version": 1})
	}
	var made struct {
		ID string `json:"id"`
	}
	// "commited" and "Adminstrator" are the tutorial's spelling.
	err := p.post(ctx, "/v1/profile_templates", object{
		"account_id": p.Account, "name": "Resource Manager template", "commited": true,
		"profile": object{
			"name": "Profile for Service Adminstrator", "description": "Manage all services in the account",
			"identities": []object{{"type": "serviceid", "identifier": p.ServiceID}},
		},
		"policy_template_references": references,
	}, &made)
	p.ProfileTemplate = made.ID
	return err
}

func (p *player) assign(ctx context.Context) error {
	if err := p.chooseGroup(ctx); err != nil {
		return err
	}
	var a struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	err := p.post(ctx, "/v1/profile_assignments", object{
		"template_id": p.ProfileTemplate, "template_version": 1, "target_type": "AccountGroup", "target": p.Outcome.Group,
	}, &a)
	if err != nil {
		return err
	}
	p.Assignment, p.Status = a.ID, a.Status
	path := "/v1/profile_assignments/" + url.PathEscape(a.ID)
	for p.Status == "accepted" || p.Status == "in_progress" {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
		if err := p.quiet().get(ctx, path, &a); err != nil {
			return err
		}
		p.Status = a.Status
	}
	if err := p.get(ctx, path, &a); err != nil {
		return err
	}
	if p.Status != "succeeded" {
		return errors.New("the assignment ended as " + p.Status + "; its resources above say why")
	}
	return nil
}

// chooseGroup takes the first account group of the enterprise unless one was
// named.
func (p *player) chooseGroup(ctx context.Context) error {
	if p.Config.Group != "" {
		p.Outcome.Group = p.Config.Group
		return nil
	}
	var enterprises, groups struct {
		Resources []struct {
			ID string `json:"id"`
		} `json:"resources"`
	}
	if err := p.get(ctx, "/v1/enterprises?"+url.Values{"enterprise_account_id": {p.Account}}.Encode(), &enterprises); err != nil {
		return err
	}
	if len(enterprises.Resources) == 0 {
		return errors.New("the key's account is not the root account of an enterprise")
	}
	if err := p.get(ctx, "/v1/account-groups?"+url.Values{"enterprise_id": {enterprises.Resources[0].ID}}.Encode(), &groups); err != nil {
		return err
	}
	if len(groups.Resources) == 0 {
		return errors.New("the enterprise has no account group to assign to")
	}
	p.Outcome.Group = groups.Resources[0].ID
	return nil
}

func (p *player) operate(ctx context.Context) (err error) {
	p.operator, err = p.login(ctx, p.operatorKey)
	return err
}

func (p *player) list(ctx context.Context) error {
	var out struct {
		Profiles []Profile `json:"profiles"`
	}
	err := p.form(ctx, "/identity/profiles", url.Values{"access_token": {p.operator}}, &out)
	p.Profiles = out.Profiles
	return err
}

func (p *player) assume(ctx context.Context) error {
	for i := range p.Profiles {
		it := &p.Profiles[i]
		var out struct {
			Token string `json:"access_token"`
		}
		err := p.form(ctx, "/identity/token", url.Values{
			"grant_type": {"urn:ibm:params:oauth:grant-type:assume"}, "access_token": {p.operator}, "profile_id": {it.ID},
		}, &out)
		if err != nil {
			return err
		}
		it.Token = secret.New(out.Token)
		claims, err := claimsOf(out.Token)
		if err != nil {
			return err
		}
		p.say("  The token acts as %s in account %s.\n", claims.IAMID, claims.Account.ID)
	}
	return nil
}

// CleanUp takes away what the steps made, as far as they came.
func (o *Outcome) CleanUp(ctx context.Context, cfg Config) error {
	p := &player{Config: cfg, Outcome: *o}
	p.say("Clean up\n")
	var faults []error
	remove := func(path, objectID string) {
		if objectID != "" {
			faults = append(faults, p.send(ctx, http.MethodDelete, path+url.PathEscape(objectID), nil, nil))
		}
	}
	remove("/v1/profile_assignments/", o.Assignment)
	if o.Assignment != "" {
		faults = append(faults, p.gone(ctx, "/v1/profile_assignments/"+url.PathEscape(o.Assignment)))
	}
	remove("/v1/profile_templates/", o.ProfileTemplate)
	for _, t := range o.PolicyTemplates {
		remove("/v1/policy_templates/", t)
	}
	remove("/v1/serviceids/", o.ServiceID)
	return errors.Join(faults...)
}

// gone waits until an object is not there any more.
func (p *player) gone(ctx context.Context, path string) error {
	for {
		var a struct {
			Status string `json:"status"`
		}
		err := p.quiet().get(ctx, path, &a)
		var refused *Refused
		if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if a.Status == "failed" {
			return errors.New("removing the assignment failed")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// claims is what the tutorial reads in a token.
type claims struct {
	IAMID   string `json:"iam_id"`
	Account struct {
		ID string `json:"bss"`
	} `json:"account"`
}

func claimsOf(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("the server's token is no JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, fmt.Errorf("reading the token: %w", err)
	}
	return c, nil
}
