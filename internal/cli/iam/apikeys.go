package iam

import (
	"context"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var apiKeys = object.Kind[client.APIKey]{
	Noun: "API key", Prefix: "ApiKey-", Path: "/v1/apikeys", Array: "apikeys", Pages: client.ByToken,
	Key:    func(k client.APIKey) (string, string) { return k.ID, k.Name },
	About:  func(k client.APIKey) string { return k.Description },
	Header: []string{"Name", "ID", "Created At", "Last Updated", "Locked", "Disabled", "Description"},
	Row: func(k client.APIKey) []string {
		return []string{k.Name, k.ID, k.CreatedAt, k.ModifiedAt, yesNo(k.Locked), yesNo(k.Disabled), k.Description}
	},
}

// owner is the identity whose keys a verb is about: the session's own, or a
// service ID of its account.
type owner struct {
	iamID string // as sent when a key is made
	of    string // for sentences: "" or " of service ID x"
	label string // "API key" or "Service ID API key"
}

func self(s *shell.Session) owner { return owner{iamID: s.Claims.IAMID, label: "API key"} }

// ofService finds a service ID and speaks of its keys.
func ofService(ctx context.Context, s *shell.Session, nameOrID string) (owner, error) {
	found, err := ServiceIDs.Find(ctx, s, nameOrID)
	if err != nil {
		return owner{}, err
	}
	return owner{iamID: found.Value.IAMID, of: " of service ID " + nameOrID, label: "Service ID API key"}, nil
}

// keys lists the keys of an owner.
func keys(ctx context.Context, s *shell.Session, o owner) ([]client.Object[client.APIKey], error) {
	query := object.OfAccount(s)
	query.Set("iam_id", o.iamID)
	return apiKeys.All(ctx, s, query)
}

// findKey gets a key of an owner by name or ID.
func findKey(ctx context.Context, s *shell.Session, o owner, nameOrID string) (client.Object[client.APIKey], error) {
	list, err := keys(ctx, s, o)
	if err != nil {
		return client.Object[client.APIKey]{}, err
	}
	return apiKeys.Choose(list, nameOrID)
}

func keyRows(k client.APIKey) [][2]string {
	rows := [][2]string{
		{"ID", k.ID},
		{"Name", k.Name},
		{"Description", k.Description},
		{"Created At", k.CreatedAt},
	}
	if k.Value != "" {
		rows = append(rows, [2]string{"API Key", k.Value})
	}
	return append(rows, [2]string{"Locked", yesNo(k.Locked)})
}

// keyFacts are keyRows with all that is known of an old key.
func keyFacts(k client.APIKey) [][2]string {
	rows := append(keyRows(k),
		[2]string{"Disabled", yesNo(k.Disabled)},
		[2]string{"Last Updated", k.ModifiedAt},
		[2]string{"Action If Leaked", k.ActionWhenLeaked},
		[2]string{"Bound To", k.IAMID},
		[2]string{"CRN", k.CRN},
		[2]string{"Version", k.EntityTag},
	)
	if k.ExpiresAt != "" {
		rows = append(rows, [2]string{"Expires At", k.ExpiresAt})
	}
	return rows
}

// keyVerbs makes the verbs on one API key.
type keyVerbs struct {
	stem     string // of their names: "api-key"
	key, new string // arguments that name a key, or one to be
	args     int
	whose    string // "of yours"
	example  string // of making one
	force    bool   // they take -f, those that ask nothing included
	owner    func(context.Context, *shell.Call, *shell.Session) (owner, error)
}

var ownKeys = keyVerbs{
	stem: "api-key", key: "NAME|ID", new: "NAME", args: 1, whose: "of yours",
	example: `  kagiban iam api-key-create ci --file ci-key.json`,
	owner:   func(_ context.Context, _ *shell.Call, s *shell.Session) (owner, error) { return self(s), nil },
}

func (k keyVerbs) all() []shell.Verb {
	var bare bool
	var n newKey
	show := func(ctx context.Context, c *shell.Call, s *shell.Session, o owner) error {
		return showKey(ctx, c, s, o, bare)
	}
	create := k.verb("-create", "Create", shell.Verb{Example: k.example, Output: true, Flags: n.flags, Values: leakActions}, n.create)
	create.Use = k.stem + "-create " + k.new
	verbs := []shell.Verb{
		k.verb("", "Show", shell.Verb{Output: true, Flags: func(f *pflag.FlagSet) { object.IDFlag(f, &bare) }}, show),
		create,
		k.verb("-update", "Change", shell.Verb{Output: true, Force: true, Flags: keyUpdateFlags, Values: leakActions}, updateKey),
		k.verb("-delete", "Delete", shell.Verb{Force: true}, deleteKey),
	}
	for _, change := range keyChanges {
		verbs = append(verbs, k.verb("-"+change.verb, change.short, shell.Verb{Force: true}, change.run))
	}
	return verbs
}

// verb completes a verb that runs something for the owner of the keys.
func (k keyVerbs) verb(suffix, does string, v shell.Verb, run func(context.Context, *shell.Call, *shell.Session, owner) error) shell.Verb {
	v.Use, v.Short, v.Args = k.stem+suffix+" "+k.key, does+" an API key "+k.whose, cobra.ExactArgs(k.args)
	v.Force = v.Force || k.force
	v.Do = func(ctx context.Context, c *shell.Call, session *shell.Session) error {
		o, err := k.owner(ctx, c, session)
		if err != nil {
			return err
		}
		return run(ctx, c, session, o)
	}
	return v
}

func apiKeysVerb() shell.Verb {
	var match object.Filter
	var bare bool
	return shell.Verb{
		Use:    "api-keys",
		Short:  "List your API keys",
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			object.IDFlag(f, &bare)
			match.Flags(f, true)
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			object.Progress(c, bare, "Getting all API keys under %s as %s", session.Account(), session.User())
			list, err := keys(ctx, session, self(session))
			if err != nil {
				return err
			}
			return apiKeys.Print(c, list, match, bare)
		},
	}
}

func showKey(ctx context.Context, c *shell.Call, session *shell.Session, o owner, bare bool) error {
	object.Progress(c, bare, "Getting API key %s%s under %s as %s", c.Args[0], o.of, session.Account(), session.User())
	found, err := findKey(ctx, session, o, c.Args[0])
	if err != nil {
		return err
	}
	if bare {
		return object.IDs(c, []client.Object[client.APIKey]{found}, func(k client.APIKey) string { return k.ID })
	}
	return object.Details(c, found, keyFacts)
}

// newKey are the flags of a verb that makes a key.
type newKey struct {
	description, file, leaked string
	lock                      bool
}

func (n *newKey) flags(f *pflag.FlagSet) {
	f.StringVarP(&n.description, "description", "d", "", "description")
	f.StringVar(&n.file, "file", "", "write the key to this file, readable by you only, and not to the terminal")
	f.StringVar(&n.leaked, "action-if-leaked", "DISABLE", "what happens to a key that was found in public: NONE, DISABLE or DELETE")
	f.BoolVar(&n.lock, "lock", false, "lock it against changes at once")
}

var leakActions = map[string][]string{"action-if-leaked": {"NONE", "DISABLE", "DELETE"}}

func keyUpdateFlags(f *pflag.FlagSet) {
	f.StringP("name", "n", "", "new name")
	f.StringP("description", "d", "", "new description")
	f.String("action-if-leaked", "", "what happens to a key that was found in public: NONE, DISABLE or DELETE")
}

func updateKey(ctx context.Context, c *shell.Call, session *shell.Session, o owner) error {
	body, err := object.Changes(c, map[string]string{"name": "name", "description": "description", "action-if-leaked": "action_when_leaked"})
	if err != nil {
		return err
	}
	if action, ok := body["action_when_leaked"].(string); ok {
		if body["action_when_leaked"], err = leakAction(action); err != nil {
			return err
		}
	}
	c.Progress("Updating API key %s%s under %s as %s", c.Args[0], o.of, session.Account(), session.User())
	old, err := findKey(ctx, session, o, c.Args[0])
	if err != nil {
		return err
	}
	changed, err := client.Put[client.APIKey](ctx, session.API, apiKeys.PathOf(old.Value.ID), old.Value.EntityTag, body)
	if err != nil {
		return err
	}
	return object.Created(c, changed, o.label+" "+changed.Value.Name+" is updated", keyFacts)
}

func leakAction(text string) (string, error) {
	switch action := strings.ToLower(text); action {
	case "none", "disable", "delete":
		return action, nil
	}
	return "", shell.Usagef("--action-if-leaked must be NONE, DISABLE or DELETE, not %q", text)
}

func deleteKey(ctx context.Context, c *shell.Call, session *shell.Session, o owner) error {
	found, err := findKey(ctx, session, o, c.Args[0])
	if err != nil {
		return err
	}
	if err := c.Confirm("Really delete API key %s (%s)%s?", found.Value.Name, found.Value.ID, o.of); err != nil {
		return err
	}
	c.Progress("Deleting API key %s%s under %s as %s", c.Args[0], o.of, session.Account(), session.User())
	if err := session.API.Delete(ctx, apiKeys.PathOf(found.Value.ID)); err != nil {
		return err
	}
	c.Done("%s %s is deleted", o.label, found.Value.Name)
	return nil
}

// keyChange is a change of state of a key that takes no parameters.
type keyChange struct {
	verb, short, doing, state string
	method, path              string
	ask                       bool // what depends on the key stops working
}

var keyChanges = []keyChange{
	{verb: "lock", short: "Lock", doing: "Locking", state: "locked", method: http.MethodPost, path: "lock"},
	{verb: "unlock", short: "Unlock", doing: "Unlocking", state: "unlocked", method: http.MethodDelete, path: "lock"},
	{verb: "disable", short: "Disable", doing: "Disabling", state: "disabled", method: http.MethodPost, path: "disable", ask: true},
	{verb: "enable", short: "Enable", doing: "Enabling", state: "enabled", method: http.MethodDelete, path: "disable"},
}

func (k keyChange) run(ctx context.Context, c *shell.Call, session *shell.Session, o owner) error {
	found, err := findKey(ctx, session, o, c.Args[0])
	if err != nil {
		return err
	}
	if k.ask {
		if err := c.Confirm("Really %s API key %s (%s)%s?", k.verb, found.Value.Name, found.Value.ID, o.of); err != nil {
			return err
		}
	}
	c.Progress("%s API key %s%s under %s as %s", k.doing, c.Args[0], o.of, session.Account(), session.User())
	if err := session.API.Call(ctx, client.Request{Method: k.method, Path: apiKeys.PathOf(found.Value.ID, k.path)}, nil); err != nil {
		return err
	}
	c.Done("%s %s is %s", o.label, found.Value.Name, k.state)
	return nil
}
