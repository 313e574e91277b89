package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/secret"
)

func (a *API) keyRows() []httpapi.Operation {
	const one = "/v1/apikeys/{id}"
	own := httpapi.Self("keys of one's own need no permission; the handler asks for those of others")
	return []httpapi.Operation{
		httpapi.OldOp(Family, "list_api_keys", "GET", "/v1/apikeys", 200, own, nil, a.listKeys),
		httpapi.OldOp(Family, "create_api_key", "POST", "/v1/apikeys", 201, own, nil, a.createKey),
		httpapi.OldOp(Family, "get_api_keys_details", "GET", "/v1/apikeys/details", 200, act("apikey.get"), at[keyDetailsIn](a), a.keyDetails),
		httpapi.OldOp(Family, "get_api_key", "GET", one, 200, act("apikey.get"), at[getKeyIn](a), a.getKey),
		httpapi.OldOp(Family, "update_api_key", "PUT", one, 200, act("apikey.update"), at[updateKeyIn](a), a.updateKey),
		httpapi.OldOp(Family, "delete_api_key", "DELETE", one, 204, act("apikey.delete"), at[keyRef](a), a.deleteKey),
		httpapi.OldOp(Family, "lock_api_key", "POST", one+"/lock", 204, act("apikey.update"), at[keyRef](a), a.lockKey),
		httpapi.OldOp(Family, "unlock_api_key", "DELETE", one+"/lock", 204, act("apikey.update"), at[keyRef](a), a.unlockKey),
		httpapi.OldOp(Family, "disable_api_key", "POST", one+"/disable", 204, act("apikey.update"), at[keyRef](a), a.disableKey),
		httpapi.OldOp(Family, "enable_api_key", "DELETE", one+"/disable", 204, act("apikey.update"), at[keyRef](a), a.enableKey),
	}
}

// APIKey is the answer that shows an API key.
type APIKey struct {
	ID               string          `json:"id"`
	EntityTag        string          `json:"entity_tag"`
	CRN              string          `json:"crn"`
	Locked           bool            `json:"locked"`
	Disabled         bool            `json:"disabled"`
	CreatedAt        string          `json:"created_at"`
	CreatedBy        string          `json:"created_by"`
	ModifiedAt       string          `json:"modified_at"`
	SupportSessions  bool            `json:"support_sessions"`
	ActionWhenLeaked string          `json:"action_when_leaked"`
	ExpiresAt        string          `json:"expires_at,omitempty"`
	Name             string          `json:"name"`
	Description      string          `json:"description,omitempty"`
	IAMID            string          `json:"iam_id"`
	AccountID        string          `json:"account_id"`
	Value            string          `json:"apikey,omitempty"` // shown once, or when the key stores it
	History          []HistoryRecord `json:"history,omitzero"`
	Activity         *Activity       `json:"activity,omitempty"`
}

func wireKey(k *identity.APIKey) *APIKey {
	return &APIKey{
		ID: k.ID, EntityTag: k.Tag, CRN: k.CRN(), Locked: k.Locked, Disabled: k.Disabled,
		CreatedAt: stamp(k.CreatedAt), CreatedBy: k.CreatedBy, ModifiedAt: stamp(k.ModifiedAt),
		SupportSessions: k.SupportSessions, ActionWhenLeaked: k.ActionWhenLeaked, ExpiresAt: k.ExpiresAtText,
		Name: k.Name, Description: k.Description, IAMID: k.IAMID, AccountID: k.Account,
	}
}

// APIKeyList is a page of API keys.
type APIKeyList struct {
	Paging
	Keys []*APIKey `json:"apikeys"`
}

// keyTarget is the resource of a key: a user's key belongs to the user, a
// service ID's goes with the service ID, which its creator administers.
func (a *API) keyTarget(ctx context.Context, k *identity.APIKey) (httpapi.Target, error) {
	if k.IsUser() {
		return target(k.Account, typeAPIKey, k.ID, k.Owner, ""), nil
	}
	object, _ := id.OfIAM(k.Owner)
	creator := ""
	if v, err := a.ids.ServiceID(ctx, object); err == nil {
		creator = v.CreatedBy
	} else if fault.Of(err).Kind != fault.NotFound {
		return httpapi.Target{}, err
	}
	return target(k.Account, typeServiceID, object, "", creator), nil
}

// keyRef names a key in the path.
type keyRef struct {
	ID string `path:"id"`
	foundKey
}

// foundKey is a key that was read to decide on it.
type foundKey struct {
	key    *identity.APIKey
	target httpapi.Target
}

func (r *keyRef) find(ctx context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	c.Seeks("ApiKey", r.ID)
	if r.key, err = a.ids.APIKey(ctx, r.ID); err != nil {
		return t, err
	}
	r.target, err = a.keyTarget(ctx, r.key)
	return r.target, err
}

type getKeyIn struct {
	keyRef
	IncludeHistory  bool `query:"include_history"`
	IncludeActivity bool `query:"include_activity"`
}

func (a *API) getKey(ctx context.Context, c *httpapi.Call, in *getKeyIn) (*APIKey, error) {
	value, err := a.storedValue(ctx, c, in.foundKey)
	if err != nil {
		return nil, err
	}
	return a.showKey(ctx, c, in.foundKey, value, in.IncludeHistory, in.IncludeActivity)
}

// storedValue gives the stored value of a key to those who may make keys for the
// identity, and so gain nothing by it. Editors may read and change a key but
// not make one: its value would give them all that the service ID holds.
func (a *API) storedValue(ctx context.Context, c *httpapi.Call, r foundKey) (secret.Value, error) {
	if !r.key.StoreValue {
		return secret.Value{}, nil
	}
	yes, err := c.May(ctx, "iam-identity.apikey.create", r.target)
	if err != nil || !yes {
		return secret.Value{}, err
	}
	return a.ids.StoredValue(r.key)
}

// showKey answers with a key that was read.
func (a *API) showKey(ctx context.Context, c *httpapi.Call, r foundKey, value secret.Value, history, activity bool) (out *APIKey, err error) {
	c.SetETag(r.key.Tag)
	out = wireKey(r.key)
	out.Value = value.Reveal()
	if out.History, err = a.history(ctx, history, identity.APIKeys.Kind(), &r.key.Meta); err != nil {
		return nil, err
	}
	out.Activity, err = a.activity(ctx, c, activity, &r.key.Meta, r.target)
	return out, err
}

type keyDetailsIn struct {
	foundKey
	Value          string `header:"IAM-ApiKey"`
	IncludeHistory bool   `query:"include_history"`
}

// Validate demands the value.
func (in *keyDetailsIn) Validate() error {
	if in.Value == "" {
		return fault.Field("IAM-ApiKey", "Header 'IAM-ApiKey' is missing or empty.")
	}
	return nil
}

func (in *keyDetailsIn) find(ctx context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	c.Seeks("ApiKey", identity.ByValue)
	in.key, err = a.ids.APIKeyByValue(ctx, secret.New(in.Value))
	if err != nil {
		return t, err
	}
	in.target, err = a.keyTarget(ctx, in.key)
	return in.target, err
}

func (a *API) keyDetails(ctx context.Context, c *httpapi.Call, in *keyDetailsIn) (*APIKey, error) {
	return a.showKey(ctx, c, in.foundKey, secret.Value{}, in.IncludeHistory, false)
}

// keyValue is a key's value in a request.
type keyValue struct{ secret.Value }

// UnmarshalJSON takes a string; the error never quotes it.
func (v *keyValue) UnmarshalJSON(raw []byte) error {
	if err := v.Value.UnmarshalJSON(raw); err != nil {
		return wrongType("value other than a usable string")
	}
	return nil
}

// keyBody is what a client says of a new key.
type keyBody struct {
	Name             string   `json:"name"`
	IAMID            string   `json:"iam_id"`
	Description      string   `json:"description"`
	AccountID        string   `json:"account_id"`
	Value            keyValue `json:"apikey"`
	StoreValue       bool     `json:"store_value"`
	SupportSessions  bool     `json:"support_sessions"`
	ActionWhenLeaked string   `json:"action_when_leaked"`
	ExpiresAt        Text     `json:"expires_at"`
}

func (b *keyBody) spec() identity.NewAPIKey {
	return identity.NewAPIKey{
		IAMID: b.IAMID, Account: b.AccountID, Name: b.Name, Description: b.Description, Value: b.Value.Value, StoreValue: b.StoreValue,
		SupportSessions: b.SupportSessions, ActionWhenLeaked: b.ActionWhenLeaked, ExpiresAt: string(b.ExpiresAt),
	}
}

type createKeyIn struct {
	Lock    *bool `header:"Entity-Lock"`
	Disable *bool `header:"Entity-Disable"`
	Body    keyBody
}

// Validate checks the body.
func (in *createKeyIn) Validate() error {
	n := in.Body.spec()
	return n.Validate()
}

func (a *API) createKey(ctx context.Context, c *httpapi.Call, in *createKeyIn) (*APIKey, error) {
	n := in.Body.spec()
	n.Locked, n.Disabled = in.Lock != nil && *in.Lock, in.Disable != nil && *in.Disable
	if err := a.authorizeNewKey(ctx, c, &n); err != nil {
		return nil, err
	}
	key, value, err := a.ids.CreateAPIKey(ctx, n)
	if err != nil {
		return nil, err
	}
	c.SetETag(key.Tag)
	out := wireKey(key)
	out.Value = value.Reveal()
	return out, nil
}

// errOtherIdentity is the answer of the official service to a user who asks
// for the keys of another one.
var errOtherIdentity = &fault.Error{Kind: fault.Invalid, Code: "invalid_parameter", Field: "iam_id",
	Message: "The specified IAM ID does not match the IAM ID in the token."}

// authorizeNewKey asks for the right to make a key, and completes its account.
func (a *API) authorizeNewKey(ctx context.Context, c *httpapi.Call, n *identity.NewAPIKey) error {
	if object, service := identity.ServiceIDOf(n.IAMID); service {
		t, err := a.serviceTarget(ctx, c, object)
		if err != nil {
			return err
		}
		return c.Authorize(ctx, "iam-identity.apikey.create", t)
	}
	if n.IAMID != c.Caller.IAMID {
		return errOtherIdentity
	}
	if n.Account == "" {
		n.Account = c.Caller.Account
	}
	if err := ownAccount(c, n.Account); err != nil {
		return err
	}
	settings, err := a.accounts.Settings(ctx, n.Account)
	if err != nil || !settings.RestrictsUserKeys() {
		return err
	}
	// No owner here: the setting binds everybody but the holders of a role.
	return c.Authorize(ctx, "iam-identity.user-apikey.create", target(n.Account, typeAPIKey, "", "", ""))
}

// serviceTarget is the resource of a service ID that a parameter names.
func (a *API) serviceTarget(ctx context.Context, c *httpapi.Call, object string) (httpapi.Target, error) {
	_, t, err := findServiceID[serviceIDRef](a)(ctx, c, &serviceIDRef{object})
	return t, err
}

type listKeysIn struct {
	listIn
	IAMID   string `query:"iam_id"`
	Scope   string `query:"scope"`
	Type    string `query:"type"`
	GroupID string `query:"group_id"`
}

func (a *API) listKeys(ctx context.Context, c *httpapi.Call, in *listKeysIn) (*APIKeyList, error) {
	q := in.query()
	q.IAMID, q.Scope, q.Type, q.Group = in.IAMID, in.Scope, in.Type, in.GroupID
	if q.Account == "" && q.PageToken == "" {
		q.Account = c.Caller.Account
	}
	q, err := a.ids.KeyQuery(q)
	if err != nil {
		return nil, err
	}
	if err := a.authorizeKeyList(ctx, c, &q); err != nil {
		return nil, err
	}
	found, err := a.ids.ListAPIKeys(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &APIKeyList{Paging: paging(a, "/v1/apikeys", found), Keys: make([]*APIKey, len(found.Items))}
	for i, k := range found.Items {
		out.Keys[i] = wireKey(k)
		if out.Keys[i].History, err = a.history(ctx, in.IncludeHistory, identity.APIKeys.Kind(), &k.Meta); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// authorizeKeyList asks for the right to see the keys of a query, and
// completes its identity: the caller's own unless the whole account is meant.
func (a *API) authorizeKeyList(ctx context.Context, c *httpapi.Call, q *identity.ListQuery) error {
	if q.Scope == identity.ScopeAccount && q.IAMID == "" {
		c.Seeks("Account", q.Account)
		all := target(q.Account, typeAPIKey, "", "", "")
		// The list holds no values, so the reviewers of metadata may see it too.
		if review, err := c.May(ctx, "iam-identity.apikey.review", all); err != nil || review {
			return err
		}
		return c.Authorize(ctx, "iam-identity.apikey.manage", all)
	}
	if q.IAMID == "" {
		q.IAMID = c.Caller.IAMID
	}
	object, service := identity.ServiceIDOf(q.IAMID)
	if q.IAMID == c.Caller.IAMID || service && id.IAMOf(object) == c.Caller.IAMID {
		return ownAccount(c, q.Account)
	}
	if !service {
		return errOtherIdentity
	}
	t, err := a.serviceTarget(ctx, c, object)
	if err != nil {
		return err
	}
	if t.Account != q.Account {
		return fault.NoObject("ServiceId", object)
	}
	return c.Authorize(ctx, "iam-identity.apikey.list", t)
}

type updateKeyIn struct {
	keyRef
	ifMatch
	Body struct {
		Name             *string `json:"name"`
		Description      *string `json:"description"`
		SupportSessions  *bool   `json:"support_sessions"`
		ActionWhenLeaked *string `json:"action_when_leaked"`
		ExpiresAt        *Text   `json:"expires_at"`
	}
}

func (in *updateKeyIn) change() identity.APIKeyChange {
	return identity.APIKeyChange{
		Name: in.Body.Name, Description: in.Body.Description, SupportSessions: in.Body.SupportSessions,
		ActionWhenLeaked: in.Body.ActionWhenLeaked, ExpiresAt: (*string)(in.Body.ExpiresAt),
	}
}

// Validate checks precondition and body.
func (in *updateKeyIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	change := in.change()
	return change.Validate()
}

func (a *API) updateKey(ctx context.Context, c *httpapi.Call, in *updateKeyIn) (*APIKey, error) {
	key, err := a.ids.UpdateAPIKey(ctx, in.ID, in.IfMatch, in.change())
	if err != nil {
		return nil, err
	}
	in.key = key
	value, err := a.storedValue(ctx, c, in.foundKey)
	if err != nil {
		return nil, err
	}
	return a.showKey(ctx, c, in.foundKey, value, false, false)
}

func (a *API) deleteKey(ctx context.Context, _ *httpapi.Call, in *keyRef) (*done, error) {
	return nil, a.ids.DeleteAPIKey(ctx, in.ID)
}

func (a *API) lockKey(ctx context.Context, _ *httpapi.Call, in *keyRef) (*done, error) {
	_, err := a.ids.LockAPIKey(ctx, in.ID, true)
	return nil, err
}

func (a *API) unlockKey(ctx context.Context, _ *httpapi.Call, in *keyRef) (*done, error) {
	_, err := a.ids.LockAPIKey(ctx, in.ID, false)
	return nil, err
}

func (a *API) disableKey(ctx context.Context, _ *httpapi.Call, in *keyRef) (*done, error) {
	_, err := a.ids.DisableAPIKey(ctx, in.ID, true)
	return nil, err
}

func (a *API) enableKey(ctx context.Context, _ *httpapi.Call, in *keyRef) (*done, error) {
	_, err := a.ids.DisableAPIKey(ctx, in.ID, false)
	return nil, err
}
