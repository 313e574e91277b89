package config

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

// Setting is a row of the table of settings. Flags, names of environment
// variables and docs/configuration.md come from it.
type Setting struct {
	// Key is the name in the configuration file; a dot stands for a level.
	Key     string
	Form    string // what a value looks like, for people
	Default string // "" for none
	Help    string // one sentence
	// List is true for settings with many values: a YAML list in the file,
	// separated by commas elsewhere.
	List bool
	// NoFlag keeps a secret off the command line, where every user of the
	// machine can read it.
	NoFlag bool

	// secret tells whether a value is a secret, so that a file that holds it must
	// not be readable by everybody; nil: none is.
	secret func(string) bool

	set func(*Settings, string) error // one value; lists call it for each
}

// Flag is the name of the command-line flag, without dashes.
func (s *Setting) Flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.Key) }

// Env is the name of the environment variable.
func (s *Setting) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// EnvPrefix begins the name of every environment variable that is read.
const EnvPrefix = "KAGIBAN_"

// Table gives every setting of `kagiban serve`.
func Table() []Setting {
	return slices.Concat(serverSettings(), storeSettings(), tokenSettings(), limitSettings())
}

func serverSettings() []Setting {
	return []Setting{
		{Key: "listen", Form: "host:port", Default: "127.0.0.1:4280",
			Help: "Address that the server listens on. An address that other machines reach needs tls.cert, or trusted_proxies, or allow_plain_http.",
			set:  func(s *Settings, v string) error { return setAddress(&s.Listen, v) }},
		{Key: "issuer", Form: "URL",
			Help: "URL of this service as clients see it, without path. Tokens carry it, followed by /identity, as their issuer; it must be the same on every node and should never change.",
			set:  setIssuer},
		{Key: "tls.cert", Form: "file", Help: "Certificate chain in PEM. It is read again when the file changes.",
			set: func(s *Settings, v string) error { s.TLSCert = v; return nil }},
		{Key: "tls.key", Form: "file", Help: "Private key of the certificate in PEM.",
			set: func(s *Settings, v string) error { s.TLSKey = v; return nil }},
		{Key: "allow_plain_http", Form: "true or false", Default: "false", Help: "Serve without TLS on an address that other machines reach.",
			set: func(s *Settings, v string) error { return setBool(&s.AllowPlainHTTP, v) }},
		{Key: "trusted_proxies", Form: "networks", List: true,
			Help: "Networks of reverse proxies whose X-Forwarded-For header is believed, such as 10.0.0.0/8.",
			set:  addNetwork},
		{Key: "metrics.listen", Form: "host:port",
			Help: "Address of a listener of its own for /metrics, /healthz and /readyz. Without it the main listener answers /metrics, to trusted networks of metrics.allow only.",
			set:  func(s *Settings, v string) error { return setAddress(&s.MetricsListen, v) }},
		{Key: "metrics.allow", Form: "networks", List: true, Default: "127.0.0.0/8,::1/128",
			Help: "Networks that may read /metrics on the main listener.",
			set:  addMetricsNetwork},
		{Key: "shutdown_delay", Form: "duration", Default: "0s",
			Help: "How long the server goes on answering after SIGTERM while /readyz says no, so that load balancers stop sending first.",
			set:  func(s *Settings, v string) error { return setDuration(&s.ShutdownDelay, v, time.Hour) }},
		{Key: "shutdown_timeout", Form: "duration", Default: "30s", Help: "How long requests in flight may take to finish after SIGTERM.",
			set: func(s *Settings, v string) error { return setDuration(&s.ShutdownTimeout, v, time.Hour) }},
		{Key: "catalog_dir", Form: "folder",
			Help: "Folder of catalogue files (*.yaml) with services, actions and roles of your own; a service there replaces the built-in one of the same name. Read at start.",
			set:  setCatalogDir},
		{Key: "log.level", Form: "debug, info, warn or error", Default: "info",
			Help: "Least severe lines that are logged; info has one line for each request.",
			set:  setLevel},
		{Key: "log.format", Form: "json or text", Default: "json", Help: "Form of log lines, which go to standard error.",
			set: func(s *Settings, v string) error { return setOneOf(&s.LogFormat, v, "json", "text") }},
	}
}

func storeSettings() []Setting {
	return []Setting{
		{Key: "database", Form: "file or postgres:// URL",
			Help:   "Where everything is kept: the path of a SQLite file for one node, or the URL of a PostgreSQL 15 or newer for several.",
			secret: holdsPassword,
			set:    setDatabase},
		{Key: "database_connections", Form: "1 to 1000", Default: "16", Help: "Most connections to PostgreSQL; SQLite ignores it.",
			set: func(s *Settings, v string) error { return setInt(&s.DatabaseConnections, v, 1, 1000) }},
		{Key: "auto_migrate", Form: "true or false", Default: "false",
			Help: "Bring an older database schema up to date at start, as `kagiban migrate` does.",
			set:  func(s *Settings, v string) error { return setBool(&s.AutoMigrate, v) }},
		{Key: "master_key_file", Form: "file",
			Help: "File that holds the master key: 32 random bytes as 64 hex digits or in base64. Readable by the server's user only.",
			set:  addMasterKeyFile},
		{Key: "master_key", Form: "64 hex digits or base64", NoFlag: true,
			Help:   "The master key itself, for platforms that hand secrets over in the environment.",
			secret: func(string) bool { return true },
			set:    addMasterKey},
		{Key: "previous_master_key_files", Form: "files", List: true, Help: "Files of master keys that still open what was sealed under them.",
			set: addPreviousKeyFile},
	}
}

func tokenSettings() []Setting {
	return []Setting{
		{Key: "token.algorithm", Form: "RS256 or ES256", Default: "RS256",
			Help: "Algorithm of new signing keys. RS256 is what every client expects; ES256 costs a thirtieth of it.",
			set:  func(s *Settings, v string) (err error) { s.Algorithm, err = signing.ParseAlgorithm(v); return err }},
		{Key: "token.engine", Form: "auto, openssl or go", Default: "auto",
			Help: "Who computes signatures; auto takes OpenSSL where it can be loaded.",
			set:  setEngine},
		{Key: "token.key_age", Form: "duration", Default: "2160h",
			Help: "Age at which the signing key is replaced (2160h are 90 days); 0 leaves it to `kagiban keys rotate`.",
			set:  func(s *Settings, v string) error { return setDuration(&s.KeyAge, v, 10*365*24*time.Hour) }},
		{Key: "token.leeway", Form: "duration", Default: "5s",
			Help: "How far the clocks of this server's nodes may differ: a token is taken this long after its end and before its beginning, up to 1m.",
			set:  func(s *Settings, v string) error { return setDuration(&s.Leeway, v, time.Minute) }},
		{Key: "identity.enforce_allowed_addresses", Form: "true or false", Default: "true",
			Help: "Refuse a token wherever its account's allowed_ip_addresses let no client in, at every use. With false they bind an account's own tokens only where those are issued; tokens of other accounts are bound in either case.",
			set:  func(s *Settings, v string) error { return setBool(&s.BindAddresses, v) }},
		{Key: "oauth_clients", Form: "id:secret or id:@file", List: true, NoFlag: true,
			Help:   "OAuth clients beside the built-in ones (bx and kube), each with its secret or the file that holds it.",
			secret: holdsSecret,
			set:    addClient},
	}
}

// limitSettings are the bounds of the domain.
func limitSettings() []Setting {
	var out []Setting
	for i, row := range new(Settings).limits() {
		least := cmp.Or(row.Least, 1)
		out = append(out, Setting{Key: row.Key, Form: fmt.Sprintf("%d to %d", least, row.Most), Default: strconv.Itoa(row.Usual), Help: row.Help,
			set: func(s *Settings, v string) error { return setInt(s.limits()[i].To, v, least, row.Most) }})
	}
	return out
}

func setCatalogDir(s *Settings, v string) error {
	info, err := os.Stat(v)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("is not a folder")
	}
	s.CatalogDir = v
	return nil
}

func setAddress(to *string, v string) error {
	if err := CheckAddress(v); err != nil {
		return err
	}
	*to = v
	return nil
}

// CheckAddress checks an address to listen on. Port 0 is any free one.
func CheckAddress(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return errors.New("must be host:port, such as 127.0.0.1:4280")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("has no port number between 0 and 65535: %q", port)
	}
	return nil
}

// ParseIssuer checks the URL of the service: http or https and a host. It may
// end in /identity, as the claim of tokens does; that is taken off.
func ParseIssuer(v string) (string, error) {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", errors.New("must be a URL such as https://iam.example.com")
	}
	if path := strings.TrimSuffix(u.Path, "/"); (path != "" && path != "/identity") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", errors.New("must have no path but /identity, no query, fragment or user")
	}
	return u.Scheme + "://" + u.Host, nil
}

func setIssuer(s *Settings, v string) (err error) {
	s.Issuer, err = ParseIssuer(v)
	return err
}

func setBool(to *bool, v string) error {
	switch v {
	case "true":
		*to = true
	case "false":
		*to = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}

func setInt(to *int, v string, least, most int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return fmt.Errorf("must be a whole number between %d and %d", least, most)
	}
	*to = n
	return nil
}

func setDuration(to *time.Duration, v string, most time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return errors.New("must be a duration such as 30s, 15m or 24h")
	}
	if d < 0 || d > most {
		return fmt.Errorf("must be between 0s and %s", most)
	}
	*to = d
	return nil
}

func setOneOf(to *string, v string, allowed ...string) error {
	for _, a := range allowed {
		if v == a {
			*to = v
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(allowed, ", "))
}

func setLevel(s *Settings, v string) error {
	var name string
	if err := setOneOf(&name, v, "debug", "info", "warn", "error"); err != nil {
		return err
	}
	return s.LogLevel.UnmarshalText([]byte(name))
}

func parseNetwork(v string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(v); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(v)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8", v)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func addNetwork(s *Settings, v string) error {
	p, err := parseNetwork(v)
	if err == nil && p.Bits() == 0 {
		return fmt.Errorf("%q trusts the whole internet: every client could invent its address", v)
	}
	s.TrustedProxies = append(s.TrustedProxies, p)
	return err
}

func addMetricsNetwork(s *Settings, v string) error {
	p, err := parseNetwork(v)
	s.MetricsAllow = append(s.MetricsAllow, p)
	return err
}

func setDatabase(s *Settings, v string) error {
	if strings.Contains(v, "://") && !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://") {
		// The value is not repeated: it may hold a password.
		return errors.New("must be the path of a SQLite file or a postgres:// URL")
	}
	s.Database = v
	return nil
}

func setEngine(s *Settings, v string) (err error) {
	if s.Engine, err = signing.ParseEngine(v); err != nil {
		return err
	}
	return s.Engine.Check()
}

func addMasterKey(s *Settings, v string) error {
	key, err := secret.ParseMasterKey(v)
	if err != nil {
		return err
	}
	s.masterKey = append(s.masterKey, key)
	return nil
}

func addMasterKeyFile(s *Settings, v string) error {
	key, err := ReadMasterKey(v)
	if err != nil {
		return err
	}
	s.masterKey = append(s.masterKey, key)
	return nil
}

func addPreviousKeyFile(s *Settings, v string) error {
	key, err := ReadMasterKey(v)
	if err != nil {
		return err
	}
	s.previousKeys = append(s.previousKeys, key)
	return nil
}

// ReadMasterKey reads a master key file.
func ReadMasterKey(path string) (secret.MasterKey, error) {
	text, err := readSecret(path)
	if err != nil {
		return secret.MasterKey{}, err
	}
	return secret.ParseMasterKey(text)
}

// readSecret reads a file that holds a secret. One that others may read is
// refused: what has been readable is no secret any more.
func readSecret(path string) (string, error) {
	text, err := readSmall(path)
	if err == nil {
		err = private(path)
	}
	return text, err
}

// private refuses a file that every user of this machine may read.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("file %s may be read by every user of this machine: chmod 600 it", path)
	}
	return nil
}

// holdsSecret tells whether an OAuth client has its secret beside its id.
func holdsSecret(client string) bool {
	_, value, found := strings.Cut(client, ":")
	return found && !strings.HasPrefix(value, "@")
}

// holdsPassword tells whether the URL of a database has a password in it.
func holdsPassword(database string) bool {
	u, err := url.Parse(database)
	if err != nil { // it cannot be told
		return strings.Contains(database, "://")
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// readSmall reads a file of secrets or settings; nothing of ours is over 1 MiB.
func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > 1<<20 {
		return "", fmt.Errorf("file %s is larger than 1 MiB", path)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

func addClient(s *Settings, v string) error {
	id, value, found := strings.Cut(v, ":")
	if !found || id == "" || value == "" {
		return errors.New("must be id:secret or id:@file")
	}
	for _, c := range s.Clients {
		if c.ID == id {
			return fmt.Errorf("names client %q twice", id)
		}
	}
	if path, isFile := strings.CutPrefix(value, "@"); isFile {
		text, err := readSecret(path)
		if err != nil {
			return err
		}
		value = strings.TrimSpace(text)
	}
	s.Clients = append(s.Clients, Client{ID: id, Secret: secret.New(value)})
	return nil
}

// checkTLS reports a certificate and key that cannot be used together.
func checkTLS(cert, key string) error {
	_, err := tls.LoadX509KeyPair(cert, key)
	return err
}
