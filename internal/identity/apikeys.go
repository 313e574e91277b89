package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// What happens to an API key that is found in public.
const (
	LeakNone    = "none"
	LeakDisable = "disable"
	LeakDelete  = "delete"
)

// KeyTraits are what a client says of an API key when it makes it, and may say
// otherwise later; nil leaves a property as it is. Empty texts clear the
// optional ones.
type KeyTraits struct {
	Name, Description *string
	ActionWhenLeaked  *string // "" means disable for users and none for service IDs
	SupportSessions   *bool   // users only
}

// keyText is a property of a key that is a plain text.
type keyText struct {
	name string
	said *string
	kept *string
	most int // its length
}

// texts gives what is said of a key's texts, and where the key keeps them.
func (t *KeyTraits) texts(key *APIKey) []keyText {
	return []keyText{
		{"name", t.Name, &key.Name, maxName},
		{"description", t.Description, &key.Description, maxDescription},
	}
}

func (t *KeyTraits) validate() error {
	if err := optionalName(t.Name); err != nil {
		return err
	}
	for _, p := range t.texts(&APIKey{}) {
		if err := optionalText(p.name, p.said, p.most); err != nil {
			return err
		}
	}
	if t.ActionWhenLeaked == nil || *t.ActionWhenLeaked == "" {
		return nil
	}
	return oneOf("action_when_leaked", strings.ToLower(*t.ActionWhenLeaked), LeakNone, LeakDisable, LeakDelete)
}

// apply writes into a key what is said of it, and gives what that changes.
func (t *KeyTraits) apply(key *APIKey) (done changes) {
	for _, p := range t.texts(key) {
		set(&done, p.name, p.kept, p.said)
	}
	set(&done, "support_sessions", &key.SupportSessions, t.SupportSessions)
	if t.ActionWhenLeaked != nil {
		action := leakAction(*t.ActionWhenLeaked, key)
		set(&done, "action_when_leaked", &key.ActionWhenLeaked, &action)
	}
	return done
}

// sessions tells whether the key shall support sessions.
func (t *KeyTraits) sessions() bool { return t.SupportSessions != nil && *t.SupportSessions }

// NewAPIKey says what API key to make.
type NewAPIKey struct {
	// IAMID is the identity that the key authenticates, as the client names
	// it: a user's IAM id, or a service ID with or without "iam-".
	IAMID string
	// Account is the account of the key. A service ID's key must be in the
	// service ID's own; "" takes it from there.
	Account    string
	Traits     KeyTraits    // with a name
	Value      secret.Value // zero: drawn
	StoreValue bool         // service IDs only: the value can be read again
	ExpiresAt  string       // "" means never
	Locked     bool
	Disabled   bool
}

// ServiceIDOf gives the id of the service ID that an IAM id of a request
// names, in either spelling, and false for other identities.
func ServiceIDOf(iamID string) (string, bool) {
	object := strings.TrimPrefix(iamID, id.IAMPrefix)
	return object, strings.HasPrefix(object, id.ServiceID)
}

// Validate checks what can be checked without the store. The error is
// fault.Invalid and names the property.
func (n NewAPIKey) Validate() error {
	if n.Traits.Name == nil {
		return fault.Missing("name")
	}
	if err := required("iam_id", n.IAMID, maxIAMID); err != nil {
		return err
	}
	_, service := ServiceIDOf(n.IAMID)
	if !service && (strings.HasPrefix(n.IAMID, id.IAMPrefix) || strings.HasPrefix(n.IAMID, id.CRNPrefix)) {
		return fault.Field("iam_id", "Property 'iam_id' must be the IAM ID of a user or a service ID.")
	}
	if n.Account != "" {
		if err := CheckAccount("account_id", n.Account); err != nil {
			return err
		}
	}
	if n.Traits.sessions() && service {
		return fault.Field("support_sessions", "Property 'support_sessions' is available for API keys of users only.")
	}
	if n.StoreValue && !service {
		return fault.Field("store_value", "Property 'store_value' must be false for API keys of users.")
	}
	return n.validateRest()
}

// validateRest checks what a key that is made with its service ID has too.
func (n *NewAPIKey) validateRest() error {
	if err := n.Traits.validate(); err != nil {
		return err
	}
	if v := len(n.Value.Reveal()); v > 0 && v < minValue || v > maxValue {
		return fault.Field("apikey", "Property 'apikey' must have %d to %d characters.", minValue, maxValue)
	}
	_, err := parseExpiry(n.ExpiresAt)
	return err
}

// actionAddKey is what whoever makes keys of a service ID must hold on it.
const actionAddKey = "iam-identity.apikey.create"

// CreateAPIKey makes an API key and gives its value, which is not stored but
// for service IDs that ask for it. Users make their own, unless the account
// restricts that; keys of a service ID are made by those who hold the action on
// it. Errors: fault.Invalid for the keys of other users; fault.NotFound for the
// service ID or the account; fault.Forbidden; fault.Conflict when a key with
// this value exists; fault.Limit; store.ErrMoved.
func (s *Service) CreateAPIKey(ctx context.Context, who asker.Asker, checked valid.Of[NewAPIKey]) (*APIKey, secret.Value, error) {
	n := checked.Value()
	owner, rests, err := s.mayAddKey(ctx, who, &n)
	if err != nil {
		return nil, secret.Value{}, err
	}
	key, value, err := s.newKey(&n)
	if err != nil {
		return nil, secret.Value{}, err
	}
	if owner != nil {
		key.GroupID = owner.Parent
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if err := rests(ctx, tx); err != nil {
			return err
		}
		return s.storeKey(ctx, tx, key)
	})
	if err != nil {
		return nil, secret.Value{}, err
	}
	return key, value, nil
}

// newKey builds the object of a key, with its value's hash.
func (s *Service) newKey(n *NewAPIKey) (*APIKey, secret.Value, error) {
	value := n.Value
	if value.IsZero() {
		var err error
		if value, err = secret.NewAPIKey(s.random); err != nil {
			return nil, value, err
		}
	}
	expires, err := parseExpiry(n.ExpiresAt)
	if err != nil {
		return nil, value, err
	}
	if !expires.IsZero() && !expires.After(s.now()) {
		return nil, value, fault.Field("expires_at", "Property 'expires_at' lies in the past.")
	}
	key := &APIKey{
		Meta:  store.Meta{Account: n.Account, ID: s.ids.New(id.APIKey), Owner: n.IAMID},
		IAMID: n.IAMID, Hash: s.hasher.Lookup(value), StoreValue: n.StoreValue, Locked: n.Locked, Disabled: n.Disabled,
		ExpiresAt: expires, ExpiresAtText: n.ExpiresAt,
	}
	if object, service := ServiceIDOf(n.IAMID); service {
		key.Owner = id.IAMOf(object)
	}
	key.ActionWhenLeaked = leakAction("", key)
	n.Traits.apply(key)
	if n.StoreValue {
		if key.Sealed, err = s.sealer.SealValue(secret.PurposeAPIKey, key.ID, value); err != nil {
			return nil, value, fmt.Errorf("sealing an API key: %w", err)
		}
	}
	return key, value, nil
}

// leakAction is the stored form of action_when_leaked. The documentation names
// "disable" as default; the tutorial's key of a service ID answers "none".
func leakAction(given string, key *APIKey) string {
	if given != "" {
		return strings.ToLower(given)
	}
	if key.IsUser() {
		return LeakDisable
	}
	return LeakNone
}

// storeKey writes a new key within its owner's limit.
func (s *Service) storeKey(ctx context.Context, tx store.Tx, key *APIKey) error {
	count, err := APIKeys.Count(ctx, tx, store.Query{Account: key.Account, Owner: key.Owner})
	if err != nil {
		return fmt.Errorf("counting API keys: %w", err)
	}
	warning, err := within("API keys", "for identity "+key.Owner, count, s.limits.APIKeysPerIdentity)
	if err != nil {
		return err
	}
	err = APIKeys.Create(ctx, tx, key, key.object().created(&key.Meta, warning))
	if errors.Is(err, fault.Conflict) {
		return &fault.Error{Kind: fault.Conflict, Code: "conflict", Field: "apikey", Message: "API key could not be created.",
			Details: "The value of property 'apikey' cannot be used."}
	}
	return err
}

func (k *APIKey) object() object {
	if k.IsUser() {
		return userKey
	}
	return serviceKey
}

// CRN is the key's resource name.
func (k *APIKey) CRN() string { return crn.Of("iam-identity", k.Account, "apikey", k.ID) }

// FoundKey is an API key with the service ID that it belongs to; nil for keys
// of users.
type FoundKey struct {
	*APIKey
	ServiceID *ServiceID
}

// APIKey gives a key by its id, whatever its account, or fault.NotFound.
func (s *Service) APIKey(ctx context.Context, keyID string) (*FoundKey, error) {
	return s.findKey(ctx, func(r store.Reader) (*APIKey, error) { return findIn(ctx, r, APIKeys, whatAPIKey, "", keyID) })
}

// ByValue stands for the id of a key in the error of a look-up by value: the
// value itself is a secret.
const ByValue = "(given by value)"

// APIKeyByValue gives the key with a value, or fault.NotFound.
func (s *Service) APIKeyByValue(ctx context.Context, value secret.Value) (*FoundKey, error) {
	return s.findKey(ctx, func(r store.Reader) (*APIKey, error) {
		key, err := APIKeys.Lookup(ctx, r, store.Key{Space: KeySpace, Value: s.hasher.Lookup(value)})
		if errors.Is(err, fault.NotFound) {
			return nil, fault.NoObject(whatAPIKey, ByValue)
		}
		return key, err
	})
}

func (s *Service) findKey(ctx context.Context, read func(store.Reader) (*APIKey, error)) (*FoundKey, error) {
	var found FoundKey
	err := s.db.View(ctx, func(r store.Reader) (err error) {
		if found.APIKey, err = read(r); err != nil || found.IsUser() {
			return err
		}
		object, _ := id.OfIAM(found.Owner)
		found.ServiceID, err = ServiceIDs.Get(ctx, r, found.Account, object)
		return fault.Ignore(fault.NotFound, err)
	})
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// StoredValue gives the value of a key that was made with StoreValue to those
// who may make keys for the identity, and so gain nothing by it. Editors may
// read and change a key but not make one: its value would give them all that
// the service ID holds. Others, and of other keys, get the zero value.
func (s *Service) StoredValue(ctx context.Context, who asker.Asker, key *FoundKey) (secret.Value, error) {
	if !key.StoreValue || len(key.Sealed) == 0 {
		return secret.Value{}, nil
	}
	if yes, err := who.May(ctx, actionAddKey, key.Resource()); err != nil || !yes {
		return secret.Value{}, err
	}
	v, err := s.sealer.OpenValue(secret.PurposeAPIKey, key.ID, key.Sealed)
	if err != nil {
		return v, fmt.Errorf("opening the value of %s: %w", key.ID, err)
	}
	return v, nil
}

// APIKeyChange holds the properties to change; nil leaves one as it is, and an
// empty expiry clears it.
type APIKeyChange struct {
	Traits    KeyTraits
	ExpiresAt *string
}

// Validate checks what can be checked without the store.
func (c APIKeyChange) Validate() error {
	if err := c.Traits.validate(); err != nil || c.ExpiresAt == nil {
		return err
	}
	_, err := parseExpiry(*c.ExpiresAt)
	return err
}

// UpdateAPIKey changes a key that was found. An expiry may lie in the past: the
// key ends at once. Errors: fault.Invalid for sessions of a service ID,
// fault.Stale, fault.Conflict when the key is locked, store.ErrMoved.
func (s *Service) UpdateAPIKey(ctx context.Context, found *APIKey, ifMatch string, checked valid.Of[APIKeyChange]) (*APIKey, error) {
	return APIKeys.Edit(ctx, s.db, found, func(_ store.Tx, key *APIKey) (store.Event, error) {
		c := checked.Value()
		if c.Traits.sessions() && !key.IsUser() {
			return store.Event{}, fault.Field("support_sessions", "Property 'support_sessions' is available for API keys of users only.")
		}
		if err := key.Match(ifMatch); err != nil {
			return store.Event{}, err
		}
		if key.Locked {
			return store.Event{}, locked("update", whatAPIKey, key.ID)
		}
		done := c.Traits.apply(key)
		if c.ExpiresAt != nil {
			set(&done, "expires_at", &key.ExpiresAtText, c.ExpiresAt)
			key.ExpiresAt, _ = parseExpiry(*c.ExpiresAt) // Validate has read it
		}
		return key.object().updated(&key.Meta, done, requestData{InstanceName: key.Name, PrevInstanceName: found.Name}), nil
	})
}

// LockAPIKey locks or unlocks a key that was found; it is no error when it is so
// already.
func (s *Service) LockAPIKey(ctx context.Context, found *APIKey, lock bool) (*APIKey, error) {
	return APIKeys.Edit(ctx, s.db, found, func(_ store.Tx, key *APIKey) (store.Event, error) {
		if key.Locked == lock {
			return store.Event{}, store.ErrUnchanged
		}
		key.Locked = lock
		return key.object().updated(&key.Meta, []string{"locked"}, requestData{Lock: &lock}), nil
	})
}

// DisableAPIKey disables or enables a key that was found; it is no error when it
// is so already. A locked key does not change (fault.Conflict).
func (s *Service) DisableAPIKey(ctx context.Context, found *APIKey, disable bool) (*APIKey, error) {
	return APIKeys.Edit(ctx, s.db, found, func(_ store.Tx, key *APIKey) (store.Event, error) {
		if key.Disabled == disable {
			return store.Event{}, store.ErrUnchanged
		}
		if key.Locked {
			return store.Event{}, locked("update", whatAPIKey, key.ID)
		}
		key.Disabled = disable
		return key.object().updated(&key.Meta, []string{"disabled"}, requestData{Disable: &disable}), nil
	})
}

// DeleteAPIKey removes a key that was found. Errors: fault.Conflict when it is
// locked, store.ErrMoved.
func (s *Service) DeleteAPIKey(ctx context.Context, key *APIKey) error {
	return APIKeys.Remove(ctx, s.db, key, func(store.Tx) (store.Event, error) {
		if key.Locked {
			return store.Event{}, locked("delete", whatAPIKey, key.ID)
		}
		return key.object().deleted(&key.Meta), nil
	})
}

// locked is the refusal to change a locked object.
func locked(verb, what, objectID string) error {
	e := &fault.Error{Kind: fault.Conflict, Code: verb + "_not_possible", Message: "Unable to " + verb + " object",
		Details: fmt.Sprintf("Object type '%s' with ID '%s' is locked.", what, objectID)}
	if verb == "delete" {
		e.Number = "BXNIM0105E"
	}
	return e
}
