package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

// login is one run of the login verb.
type login struct {
	*shell.Call
	url, apiKey, user, password, account, group, region string
	sso, noAccount, noRegion, skipVerify                bool
}

func loginCommand(sh *shell.Shell) *cobra.Command {
	var l login
	return sh.Command(shell.Verb{
		Use:   "login",
		Short: "Log in to a server",
		Long: `Log in to a server with an API key, a user name and password, or a one-time code.

The API key may also come from KAGIBAN_APIKEY or IBMCLOUD_API_KEY (a key, or @FILE),
the server's URL from KAGIBAN_URL. A key file holds the bare key, or the JSON that
"kagiban iam api-key-create --file" writes.`,
		Example: `  kagiban login -a http://127.0.0.1:4280 --apikey @mykey.json
  KAGIBAN_APIKEY=... kagiban login -a https://iam.example.com
  kagiban login -u ada@example.com -c ACCOUNT_ID`,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&l.url, "api", "a", "", "URL of the server")
			f.StringVar(&l.apiKey, "apikey", "", "API key, or @FILE that holds it")
			f.StringVarP(&l.user, "username", "u", "", "user name")
			f.StringVarP(&l.password, "password", "p", "", "password; asked for when it is not given")
			f.BoolVar(&l.sso, "sso", false, "log in with a one-time code")
			f.StringVarP(&l.account, "account", "c", "", "ID of the account to target")
			f.BoolVar(&l.noAccount, "no-account", false, "target no account")
			f.StringVarP(&l.group, "group", "g", "", "name or ID of the resource group to target")
			f.StringVarP(&l.region, "region", "r", "", "region to target")
			f.BoolVar(&l.noRegion, "no-region", false, "target no region")
			f.BoolVar(&l.skipVerify, "skip-ssl-validation", false, "accept any TLS certificate (not for production)")
		},
		Run: func(ctx context.Context, c *shell.Call) error {
			l.Call = c
			return l.run(ctx)
		},
	})
}

func (l *login) run(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	base, err := l.endpoint()
	if err != nil {
		return err
	}
	api, err := l.Connect(base, l.skipVerify)
	if err != nil {
		return err
	}
	if !l.Quiet {
		l.Say("API endpoint: %s", base)
	}
	if isOpen(base) {
		l.Warn("Warning: %s is not encrypted; keys and tokens can be read on the way.", base)
	}
	token, err := l.authenticate(ctx, api)
	if err != nil {
		return err
	}
	l.OK()
	set, err := l.settle(ctx, api, token)
	if err != nil {
		return err
	}
	set.APIEndpoint, set.SSLDisabled = base, l.skipVerify
	err = l.Store.Update(func(stored *settings.Settings) error {
		set.HTTPTimeout, set.Trace, set.Color = stored.HTTPTimeout, stored.Trace, stored.Color
		*stored = set
		return nil
	})
	if err != nil {
		return err
	}
	l.announce(set)
	return printTarget(l.Call, set)
}

func (l *login) check() error {
	switch {
	case l.apiKey != "" && l.user != "":
		return shell.Usagef("--apikey and -u cannot be combined")
	case l.sso && (l.apiKey != "" || l.user != ""):
		return shell.Usagef("--sso cannot be combined with --apikey or -u")
	case l.account != "" && l.noAccount:
		return shell.Usagef("-c and --no-account cannot be combined")
	case l.region != "" && l.noRegion:
		return shell.Usagef("-r and --no-region cannot be combined")
	case l.group != "" && l.noAccount:
		return shell.Usagef("-g needs an account, so it cannot be combined with --no-account")
	}
	return nil
}

// endpoint chooses the server: the flag, KAGIBAN_URL, or the one before, whose
// certificate check stays as it was.
func (l *login) endpoint() (string, error) {
	text := l.url
	if text == "" {
		text = l.Getenv("KAGIBAN_URL")
	}
	if text == "" {
		if l.Settings.APIEndpoint == "" {
			return "", shell.Problem("No server is named. Name one with: kagiban login -a URL")
		}
		l.skipVerify = l.skipVerify || l.Settings.SSLDisabled
		return l.Settings.APIEndpoint, nil
	}
	base, err := client.ParseBase(text)
	if err != nil {
		return "", shell.Usagef("%v", err)
	}
	return base, nil
}

// isOpen tells whether calls to base cross a network unencrypted.
func isOpen(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost") && (ip == nil || !ip.IsLoopback())
}

// authenticate gets a token by the first of: the key or user of the flags, a
// one-time code, a key from the environment, a user name asked for.
func (l *login) authenticate(ctx context.Context, api *client.Client) (client.Token, error) {
	text := l.apiKey
	switch {
	case text == "" && l.user == "apikey": // the official command line's other spelling
		if l.password == "" {
			return client.Token{}, shell.Usagef("-u apikey needs the API key as -p")
		}
		text = l.password
	case text == "" && l.user == "" && !l.sso:
		text = l.Getenv("KAGIBAN_APIKEY")
		if text == "" {
			text = l.Getenv("IBMCLOUD_API_KEY")
		}
	}
	if text != "" {
		key, err := readKey(text)
		if err != nil {
			return client.Token{}, err
		}
		l.Progress("Authenticating")
		l.Progress("Retrieving API key token")
		return api.ByAPIKey(ctx, key)
	}
	if l.sso {
		return l.bySSO(ctx, api)
	}
	return l.byPassword(ctx, api)
}

func (l *login) bySSO(ctx context.Context, api *client.Client) (client.Token, error) {
	l.Say("Get One Time Code from %s/identity/passcode to proceed.", api.Base())
	code, err := l.Secret("One Time Code >")
	if err != nil {
		return client.Token{}, err
	}
	if code == "" {
		return client.Token{}, shell.Problem("No one-time code was given.")
	}
	l.Progress("Authenticating")
	return api.ByPasscode(ctx, secret.New(strings.TrimSpace(code)))
}

func (l *login) byPassword(ctx context.Context, api *client.Client) (client.Token, error) {
	user, password := l.user, l.password
	var err error
	if user == "" {
		if user, err = l.Prompt("User name>"); err != nil {
			return client.Token{}, err
		}
	}
	if user = strings.TrimSpace(user); user == "" {
		return client.Token{}, shell.Problem("No credentials were given. Give --apikey KEY|@FILE, -u USERNAME, or set KAGIBAN_APIKEY.")
	}
	if password == "" {
		if password, err = l.Secret("Password>"); err != nil {
			return client.Token{}, err
		}
	}
	l.Progress("Authenticating")
	return api.ByPassword(ctx, user, secret.New(password), l.account)
}

// readKey takes an API key, or @ and the name of a file with it: the bare key,
// or a JSON object with the key as "apikey".
func readKey(text string) (secret.Value, error) {
	name, isFile := strings.CutPrefix(text, "@")
	if !isFile {
		return secret.New(strings.TrimSpace(text)), nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the API key file: %w", err)
	}
	return parseKeyFile(name, content)
}

func parseKeyFile(name string, content []byte) (secret.Value, error) {
	bare := strings.TrimSpace(strings.TrimPrefix(string(content), "\ufeff"))
	if strings.HasPrefix(bare, "{") {
		var object struct {
			Key string `json:"apikey"`
		}
		if json.Unmarshal([]byte(bare), &object) != nil || object.Key == "" {
			return secret.Value{}, shell.Problemf("The API key file %s is JSON without a key named \"apikey\".", name)
		}
		bare = object.Key
	}
	if bare == "" || strings.ContainsAny(bare, " \t\r\n") {
		return secret.Value{}, shell.Problemf("The API key file %s does not hold one API key.", name)
	}
	return secret.New(bare), nil
}

// settle finds out what the token stands for and targets account, resource
// group and region.
func (l *login) settle(ctx context.Context, api *client.Client, token client.Token) (settings.Settings, error) {
	claims, err := client.ParseClaims(token.Access)
	if err != nil {
		return settings.Settings{}, err
	}
	if l.account != "" && l.account != claims.Account.ID {
		if token, err = switchAccount(ctx, l.Call, api, token.Refresh, l.account); err != nil {
			return settings.Settings{}, err
		}
		if claims, err = client.ParseClaims(token.Access); err != nil {
			return settings.Settings{}, err
		}
	}
	set := settings.Settings{
		Tokens:  settings.Tokens{Access: token.Access, Refresh: token.Refresh},
		Region:  l.region,
		LoginAt: l.Now().UTC(),
	}
	if l.region == "" && !l.noRegion {
		set.Region = l.Settings.Region
	}
	authorized := api.WithBearer(func(context.Context, bool) (secret.Value, error) { return token.Access, nil })
	if !l.noAccount && claims.Account.ID != "" {
		set.Account = describeAccount(ctx, authorized, claims)
	}
	if l.group != "" {
		if set.ResourceGroup, err = findResourceGroup(ctx, authorized, claims.Account.ID, l.group); err != nil {
			return settings.Settings{}, err
		}
	}
	return set, nil
}

func (l *login) announce(set settings.Settings) {
	if l.Quiet {
		return
	}
	if set.Account.GUID != "" {
		l.Blank()
		l.Say("Targeted account %s", strings.TrimSpace(accountText(set.Account)))
	}
	if set.ResourceGroup.GUID != "" {
		l.Blank()
		l.Say("Targeted resource group %s", set.ResourceGroup.Name)
	}
	if set.Region != "" {
		l.Blank()
		l.Say("Targeted region %s", set.Region)
	}
}

// describeAccount asks the accounts API for the account's name. A server or a
// role that does not tell leaves the name empty, which is no failure.
func describeAccount(ctx context.Context, api *client.Client, claims client.Claims) settings.Account {
	account := settings.Account{GUID: claims.Account.ID, Classic: claims.Account.Classic}
	found, err := client.Get[client.Account](ctx, api, "/v4"+client.Path("accounts", claims.Account.ID))
	if err != nil {
		return account
	}
	account.Name, account.Owner = found.Value.Name, found.Value.Owner
	if found.Value.Classic != "" {
		account.Classic = found.Value.Classic
	}
	return account
}

// findResourceGroup looks a resource group up by name or ID.
func findResourceGroup(ctx context.Context, api *client.Client, account, nameOrID string) (settings.ResourceGroup, error) {
	var page struct {
		Resources []struct{ ID, Name string } `json:"resources"`
	}
	query := url.Values{"account_id": {account}}
	err := api.Call(ctx, client.Request{Method: "GET", Path: "/v2/resource_groups", Query: query}, &page)
	var refused *client.ServerError
	if errors.As(err, &refused) {
		return settings.ResourceGroup{}, shell.Problemf("Could not target resource group %s:\n%v", nameOrID, err)
	}
	if err != nil {
		return settings.ResourceGroup{}, err
	}
	for _, g := range page.Resources {
		if g.ID == nameOrID || g.Name == nameOrID {
			return settings.ResourceGroup{GUID: g.ID, Name: g.Name}, nil
		}
	}
	return settings.ResourceGroup{}, shell.Problemf("Resource group %s was not found in account %s.", nameOrID, account)
}
