package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) keyRows() []httpapi.Operation {
	const all, one = "/v1/apikeys", "/v1/apikeys/{id}"
	const read, update = "iam-identity.apikey.get", "iam-identity.apikey.update"
	const own = "keys of one's own need no permission; package identity asks for those of others"
	find := findKey[keyRef](a)
	return httpapi.Table(Family,
		httpapi.Op[listKeysIn, httpapi.None, APIKeyList]{ID: "list_api_keys", Method: "GET", Path: all, Status: 200, Self: own, Do: a.listKeys},
		httpapi.Op[createKeyIn, httpapi.None, APIKey]{ID: "create_api_key", Method: "POST", Path: all, Status: 201, Self: own, Do: a.createKey},
		httpapi.Op[keyDetailsIn, *identity.FoundKey, APIKey]{ID: "get_api_keys_details", Method: "GET", Path: all + "/details", Status: 200,
			Action: read, Check: (*keyDetailsIn).check, Find: a.findKeyByValue, Do: a.keyDetails},
		httpapi.Op[getKeyIn, *identity.FoundKey, APIKey]{ID: "get_api_key", Method: "GET", Path: one, Status: 200,
			Action: read, Find: findKey[getKeyIn](a), Do: a.getKey},
		httpapi.Op[updateKeyIn, keyChange, APIKey]{ID: "update_api_key", Method: "PUT", Path: one, Status: 200,
			Action: update, Check: (*updateKeyIn).present, Find: httpapi.Checking(updateKeyIn.spec, findKey[updateKeyIn](a)), Do: a.updateKey},
		httpapi.Op[keyRef, *identity.FoundKey, httpapi.None]{ID: "delete_api_key", Method: "DELETE", Path: one, Status: 204,
			Action: "iam-identity.apikey.delete", Find: find, Do: a.deleteKey},
		httpapi.Op[keyRef, *identity.FoundKey, httpapi.None]{ID: "lock_api_key", Method: "POST", Path: one + "/lock", Status: 204,
			Action: update, Find: find, Do: switchKey(a.ids.LockAPIKey, true)},
		httpapi.Op[keyRef, *identity.FoundKey, httpapi.None]{ID: "unlock_api_key", Method: "DELETE", Path: one + "/lock", Status: 204,
			Action: update, Find: find, Do: switchKey(a.ids.LockAPIKey, false)},
		httpapi.Op[keyRef, *identity.FoundKey, httpapi.None]{ID: "disable_api_key", Method: "POST", Path: one + "/disable", Status: 204,
			Action: update, Find: find, Do: switchKey(a.ids.DisableAPIKey, true)},
		httpapi.Op[keyRef, *identity.FoundKey, httpapi.None]{ID: "enable_api_key", Method: "DELETE", Path: one + "/disable", Status: 204,
			Action: update, Find: find, Do: switchKey(a.ids.DisableAPIKey, false)},
	)
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

// keyRef names a key in the path.
type keyRef struct {
	ID string `path:"id"`
}

func (r keyRef) key() string { return r.ID }

func findKey[In interface{ key() string }](a *API) find[In, *identity.FoundKey] {
	return finding("ApiKey", In.key, a.ids.APIKey)
}

type getKeyIn struct {
	keyRef
	IncludeHistory  bool `query:"include_history"`
	IncludeActivity bool `query:"include_activity"`
}

func (a *API) getKey(ctx context.Context, c *httpapi.Call, in *getKeyIn, key *identity.FoundKey) (*APIKey, error) {
	value, err := a.ids.StoredValue(ctx, c, key)
	if err != nil {
		return nil, err
	}
	return a.showKey(ctx, c, key, value, in.IncludeHistory, in.IncludeActivity)
}

// showKey answers with a key that was found.
func (a *API) showKey(ctx context.Context, c *httpapi.Call, key *identity.FoundKey, value secret.Value, history,
	activity bool) (out *APIKey, err error) {
	c.SetETag(key.Tag)
	out = wireKey(key.APIKey)
	out.Value = value.Reveal()
	if out.History, err = a.history(ctx, history, identity.APIKeys.Kind(), &key.Meta); err != nil {
		return nil, err
	}
	out.Activity, err = a.activity(ctx, c, activity, &key.Meta, key.Resource())
	return out, err
}

type keyDetailsIn struct {
	Value          string `header:"IAM-ApiKey"`
	IncludeHistory bool   `query:"include_history"`
}

func (in *keyDetailsIn) check() error {
	if in.Value == "" {
		return fault.Field("IAM-ApiKey", "Header 'IAM-ApiKey' is missing or empty.")
	}
	return nil
}

func (a *API) findKeyByValue(ctx context.Context, c *httpapi.Call, in *keyDetailsIn) (*identity.FoundKey, httpapi.Target, error) {
	c.Seeks("ApiKey", identity.ByValue)
	key, err := a.ids.APIKeyByValue(ctx, secret.New(in.Value))
	if err != nil {
		return nil, httpapi.Target{}, err
	}
	return key, key.Resource(), nil
}

func (a *API) keyDetails(ctx context.Context, c *httpapi.Call, in *keyDetailsIn, key *identity.FoundKey) (*APIKey, error) {
	return a.showKey(ctx, c, key, secret.Value{}, in.IncludeHistory, false)
}

// keyValue is a key's value in a request.
type keyValue struct{ secret.Value }

// UnmarshalJSON takes a string; the error never quotes it.
func (v *keyValue) UnmarshalJSON(raw []byte) error {
	if err := v.Value.UnmarshalJSON(raw); err != nil {
		return httpapi.WrongType("value other than a usable string")
	}
	return nil
}

// keyBody is what a client says of a new key.
type keyBody struct {
	keyTraits
	IAMID      string   `json:"iam_id"`
	AccountID  string   `json:"account_id"`
	Value      keyValue `json:"apikey"`
	StoreValue bool     `json:"store_value"`
	ExpiresAt  Text     `json:"expires_at"`
}

// keyTraits have the names and types of identity.KeyTraits.
type keyTraits struct {
	Name             *string `json:"name"`
	Description      *string `json:"description"`
	ActionWhenLeaked *string `json:"action_when_leaked"`
	SupportSessions  *bool   `json:"support_sessions"`
}

func (b *keyBody) spec() identity.NewAPIKey {
	return identity.NewAPIKey{
		IAMID: b.IAMID, Account: b.AccountID, Traits: identity.KeyTraits(b.keyTraits), Value: b.Value.Value, StoreValue: b.StoreValue,
		ExpiresAt: string(b.ExpiresAt),
	}
}

type createKeyIn struct {
	Lock    *bool `header:"Entity-Lock"`
	Disable *bool `header:"Entity-Disable"`
	Body    keyBody
}

func (a *API) createKey(ctx context.Context, c *httpapi.Call, in *createKeyIn, _ httpapi.None) (*APIKey, error) {
	spec := in.Body.spec()
	spec.Locked, spec.Disabled = in.Lock != nil && *in.Lock, in.Disable != nil && *in.Disable
	n, err := valid.Check(spec)
	if err != nil {
		return nil, err
	}
	key, value, err := a.ids.CreateAPIKey(ctx, c, n)
	if err != nil {
		return nil, err
	}
	c.SetETag(key.Tag)
	out := wireKey(key)
	out.Value = value.Reveal()
	return out, nil
}

type listKeysIn struct {
	listIn
	IAMID   string `query:"iam_id"`
	Scope   string `query:"scope"`
	Type    string `query:"type"`
	GroupID string `query:"group_id"`
}

func (a *API) listKeys(ctx context.Context, c *httpapi.Call, in *listKeysIn, _ httpapi.None) (*APIKeyList, error) {
	q := in.query()
	q.IAMID, q.Scope, q.Type, q.Group = in.IAMID, in.Scope, in.Type, in.GroupID
	found, err := a.ids.ListAPIKeys(ctx, c, q)
	if err != nil {
		return nil, err
	}
	keys, err := lists.TryMap(found.Items, func(k *identity.APIKey) (out *APIKey, err error) {
		out = wireKey(k)
		out.History, err = a.history(ctx, in.IncludeHistory, identity.APIKeys.Kind(), &k.Meta)
		return out, err
	})
	return &APIKeyList{paging(a, "/v1/apikeys", found), keys}, err
}

type updateKeyIn struct {
	keyRef
	ifMatch
	Body struct {
		keyTraits
		ExpiresAt *Text `json:"expires_at"`
	}
}

func (in updateKeyIn) spec() identity.APIKeyChange {
	return identity.APIKeyChange{Traits: identity.KeyTraits(in.Body.keyTraits), ExpiresAt: (*string)(in.Body.ExpiresAt)}
}

type keyChange = httpapi.Given[*identity.FoundKey, identity.APIKeyChange]

func (a *API) updateKey(ctx context.Context, c *httpapi.Call, in *updateKeyIn, g keyChange) (*APIKey, error) {
	key, err := a.ids.UpdateAPIKey(ctx, g.Found.APIKey, in.IfMatch, g.Spec)
	if err != nil {
		return nil, err
	}
	now := &identity.FoundKey{APIKey: key, ServiceID: g.Found.ServiceID}
	value, err := a.ids.StoredValue(ctx, c, now)
	if err != nil {
		return nil, err
	}
	return a.showKey(ctx, c, now, value, false, false)
}

func (a *API) deleteKey(ctx context.Context, _ *httpapi.Call, _ *keyRef, key *identity.FoundKey) (*httpapi.None, error) {
	return nil, a.ids.DeleteAPIKey(ctx, key.APIKey)
}

// switchKey makes the handler that turns something of a key on or off.
func switchKey(set func(context.Context, *identity.APIKey, bool) (*identity.APIKey, error), on bool,
) func(context.Context, *httpapi.Call, *keyRef, *identity.FoundKey) (*httpapi.None, error) {
	return func(ctx context.Context, _ *httpapi.Call, _ *keyRef, key *identity.FoundKey) (*httpapi.None, error) {
		_, err := set(ctx, key.APIKey, on)
		return nil, err
	}
}
