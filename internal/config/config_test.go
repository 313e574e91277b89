package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/config"
)

// key is a master key in hex that no server uses.
var key = strings.Repeat("0123456789abcdef", 4)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// flags parses a command line as `kagiban serve` does.
func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.AddFlags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestWithoutSourcesTheDefaultsHold(t *testing.T) {
	s, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != "127.0.0.1:4280" || s.Algorithm != "RS256" || s.ShutdownTimeout != 30*time.Second || s.LogFormat != "json" ||
		len(s.MetricsAllow) != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestFlagsOutweighTheEnvironmentAndThatTheFile(t *testing.T) {
	file := write(t, "c.yaml", "listen: 127.0.0.1:1\nlog:\n  level: debug\n  format: text\nshutdown_timeout: 5s\ntrusted_proxies: [10.0.0.0/8, 192.168.0.1]\n")
	s, err := config.Load(config.Sources{
		File: file, Environ: []string{"KAGIBAN_LISTEN=127.0.0.1:2", "KAGIBAN_LOG_LEVEL=warn", "PATH=/bin"},
		Flags: flags(t, "--listen", "127.0.0.1:3"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != "127.0.0.1:3" || s.LogLevel.String() != "WARN" || s.LogFormat != "text" || s.ShutdownTimeout != 5*time.Second {
		t.Errorf("got %+v", s)
	}
	if got := fmt.Sprint(s.TrustedProxies); got != "[10.0.0.0/8 192.168.0.1/32]" {
		t.Errorf("trusted proxies are %s", got)
	}
}

func TestEverySettingCanComeFromEverySource(t *testing.T) {
	keyFile := write(t, "master.key", key)
	values := map[string]string{
		"listen": "127.0.0.1:9", "issuer": "https://iam.example.com", "tls.cert": "", "tls.key": "", "allow_plain_http": "true",
		"trusted_proxies": "10.0.0.0/8,10.1.0.0/16", "metrics.listen": "127.0.0.1:8", "metrics.allow": "10.0.0.0/8", "shutdown_delay": "1s",
		"shutdown_timeout": "1m", "log.level": "error", "log.format": "text", "catalog_dir": t.TempDir(), "database": "x.db",
		"database_connections": "3", "auto_migrate": "true",
		"master_key_file": keyFile, "master_key": key, "previous_master_key_files": "", "token.algorithm": "ES256", "token.engine": "go",
		"token.leeway":  "7s",
		"token.key_age": "24h", "identity.enforce_allowed_addresses": "false",
		"oauth_clients": "a:secret-a,b:secret-b", "enterprise.max_accounts": "10000", "enterprise.max_groups": "7",
		"enterprise.max_tiers": "9", "enterprise.max_templates": "11", "enterprise.max_template_versions": "12",
		"access.max_policies": "200000", "access.max_policies_per_subject": "13", "access.max_tag_policies": "14", "access.max_groups": "15",
		"access.max_groups_per_member": "16", "access.max_rules_per_group": "17", "access.max_custom_roles": "18",
		"identity.max_api_keys_per_identity": "19", "identity.max_service_ids_per_group": "20", "identity.max_service_id_groups": "21",
		"identity.max_profiles": "22", "identity.max_rules_per_profile": "23", "identity.max_identities_per_profile": "24",
		"identity.max_links_per_profile": "25", "identity.max_links": "26", "identity.max_identity_providers": "27",
	}
	for _, setting := range config.Table() {
		value, known := values[setting.Key]
		if !known {
			t.Errorf("setting %s is not in this test", setting.Key)
			continue
		}
		want, err := config.Load(config.Sources{Environ: []string{setting.Env() + "=" + value}})
		if err != nil && !strings.HasPrefix(setting.Key, "tls.") {
			t.Errorf("%s: %v", setting.Env(), err)
			continue
		}
		if value == "" {
			continue
		}
		var nested string
		for i, part := range strings.Split(setting.Key, ".") {
			nested += strings.Repeat("  ", i) + part + ":"
			if i == strings.Count(setting.Key, ".") {
				nested += " " + yaml(value, setting.List)
			}
			nested += "\n"
		}
		got, err := config.Load(config.Sources{File: write(t, "c.yaml", nested)})
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s in a file: %v\n%+v\n%+v", setting.Key, err, got, want)
		}
		if setting.NoFlag {
			continue
		}
		got, err = config.Load(config.Sources{Flags: flags(t, "--"+setting.Flag(), value)})
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("--%s: %v\n%+v\n%+v", setting.Flag(), err, got, want)
		}
	}
}

func yaml(value string, list bool) string {
	if list {
		return "['" + strings.ReplaceAll(value, ",", "', '") + "']"
	}
	return "'" + value + "'"
}

func TestWrongSettingsAreNamedWithTheirSource(t *testing.T) {
	open := write(t, "open.key", key)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, setting, value, want string }{
		{"address without port", "KAGIBAN_LISTEN", "localhost", "listen (from KAGIBAN_LISTEN): must be host:port"},
		{"port over the limit", "KAGIBAN_LISTEN", "127.0.0.1:70000", "no port number"},
		{"other machines in the clear", "KAGIBAN_LISTEN", "0.0.0.0:4280", "in the clear"},
		{"all of IPv6 in the clear", "KAGIBAN_LISTEN", "[::]:4280", "in the clear"},
		{"issuer without scheme", "KAGIBAN_ISSUER", "iam.example.com", "issuer"},
		{"issuer with a path", "KAGIBAN_ISSUER", "https://iam.example.com/iam", "no path"},
		{"issuer with a password", "KAGIBAN_ISSUER", "https://u:p@iam.example.com", "user"},
		{"other database", "KAGIBAN_DATABASE", "mysql://u:hidden@h/db", "database"},
		{"no boolean", "KAGIBAN_AUTO_MIGRATE", "yes", "true or false"},
		{"no number", "KAGIBAN_DATABASE_CONNECTIONS", "many", "between 1 and 1000"},
		{"no connections", "KAGIBAN_DATABASE_CONNECTIONS", "0", "between 1 and 1000"},
		{"enterprise without accounts", "KAGIBAN_ENTERPRISE_MAX_ACCOUNTS", "0", "between 1 and 100000"},
		{"no policies", "KAGIBAN_ACCESS_MAX_POLICIES", "0", "between 1 and 1000000"},
		{"enterprise without room for accounts", "KAGIBAN_ENTERPRISE_MAX_TIERS", "1", "between 2 and 20"},
		{"no duration", "KAGIBAN_SHUTDOWN_TIMEOUT", "30", "duration"},
		{"negative duration", "KAGIBAN_SHUTDOWN_TIMEOUT", "-1s", "between"},
		{"no level", "KAGIBAN_LOG_LEVEL", "loud", "debug, info, warn, error"},
		{"no format", "KAGIBAN_LOG_FORMAT", "xml", "json, text"},
		{"no network", "KAGIBAN_TRUSTED_PROXIES", "10.0.0.0/8,proxy", `"proxy"`},
		{"the whole internet", "KAGIBAN_TRUSTED_PROXIES", "0.0.0.0/0", "whole internet"},
		{"no algorithm", "KAGIBAN_TOKEN_ALGORITHM", "none", "RS256"},
		{"no engine", "KAGIBAN_TOKEN_ENGINE", "boring", "auto, go, openssl"},
		{"a leeway of minutes", "KAGIBAN_TOKEN_LEEWAY", "61s", "between 0s and 1m0s"},
		{"a leeway of less than nothing", "KAGIBAN_TOKEN_LEEWAY", "-1s", "between 0s and 1m0s"},
		{"short master key", "KAGIBAN_MASTER_KEY", "abc", "master key"},
		{"absent master key file", "KAGIBAN_MASTER_KEY_FILE", "/nowhere/key", "no such file"},
		{"readable master key file", "KAGIBAN_MASTER_KEY_FILE", open, "chmod 600"},
		{"absent certificate", "KAGIBAN_TLS_CERT", "/nowhere/cert", "tls.cert and tls.key"},
		{"client without secret", "KAGIBAN_OAUTH_CLIENTS", "app", "id:secret"},
		{"client twice", "KAGIBAN_OAUTH_CLIENTS", "app:a,app:b", "twice"},
		{"client with a readable file", "KAGIBAN_OAUTH_CLIENTS", "app:@" + open, "chmod 600"},
		{"client with absent file", "KAGIBAN_OAUTH_CLIENTS", "app:@/nowhere", "no such file"},
		{"misspelt variable", "KAGIBAN_LISTNE", "x", "did you mean KAGIBAN_LISTEN?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{Environ: []string{c.setting + "=" + c.value}})
			var faults config.Faults
			if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(faults[0], c.want) {
				t.Fatalf("got %q, want one fault with %q", faults, c.want)
			}
			for _, hidden := range []string{"hidden", "p@iam"} {
				if strings.Contains(faults[0], hidden) {
					t.Errorf("the fault repeats a password: %s", faults[0])
				}
			}
		})
	}
}

func TestAFileWithSecretsIsPrivate(t *testing.T) {
	for _, c := range []struct{ name, text, key string }{
		{"the master key", "master_key: " + key, "master_key"},
		{"a client's secret", "oauth_clients: ['app:pin']", "oauth_clients"},
		{"one of several", "oauth_clients: ['app:@/nowhere', 'web:pin']", "oauth_clients"},
		{"a password of the database", "database: postgres://u:pin@h/db", "database"},
		{"the same as a parameter", "database: postgres://h/db?password=pin", "database"},
		{"none", "database: postgres://u@h/db", ""},
		{"only names of files", "master_key_file: /nowhere", ""},
	} {
		file := write(t, "c.yaml", c.text)
		for mode, open := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true, 0o602: true} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(config.Sources{File: file})
			refused := err != nil && strings.Contains(err.Error(), c.key+" (in "+file+"): is a secret") && strings.Contains(err.Error(), "chmod 600")
			if want := open && c.key != ""; refused != want {
				t.Errorf("%s, mode %o: refused is %v: %v", c.name, mode, refused, err)
			}
			if err != nil && strings.Contains(err.Error(), "pin") {
				t.Errorf("%s: the fault repeats the secret: %v", c.name, err)
			}
		}
	}
}

func TestWrongFilesAreNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "listn: x", "did you mean listen?"},
		{"unknown nested key", "tls:\n  certificate: x", "tls.certificate"},
		{"a list for a value", "listen: [a, b]", "single value"},
		{"a map for a value", "listen:\n  host: x", "listen.host"},
		{"a map in a list", "trusted_proxies: [{a: b}]", "list of texts"},
		{"no YAML", "listen: [", "configuration file"},
		{"a tab", "\tlisten: x", "configuration file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{File: write(t, "c.yaml", c.text)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if strings.TrimSpace(line) == "" {
					t.Error("an empty line")
				}
			}
		})
	}
	if _, err := config.Load(config.Sources{File: "/nowhere.yaml"}); err == nil || !strings.Contains(err.Error(), "/nowhere.yaml") {
		t.Errorf("an absent file: %v", err)
	}
}

func TestWhatAnUnreadableFileMayHoldIsNotGuessed(t *testing.T) {
	required := []string{"database", "issuer", "master_key_file"}
	for _, file := range []string{"/nowhere.yaml", write(t, "c.yaml", "tls: [")} {
		_, err := config.Load(config.Sources{File: file, Required: required,
			Environ: []string{"KAGIBAN_TLS_CERT=cert.pem", "KAGIBAN_LOG_LEVEL=loud"}})
		var faults config.Faults
		if !errors.As(err, &faults) || len(faults) != 2 || !strings.Contains(faults[0], file) || !strings.Contains(faults[1], "log.level") {
			t.Errorf("%s: got %q, want the file and the level", file, faults)
		}
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	_, err := config.Load(config.Sources{
		File: write(t, "c.yaml", "nonsense: 1\nlog:\n  level: loud\n"), Environ: []string{"KAGIBAN_TOKEN_ALGORITHM=HS256"},
		Flags: flags(t, "--listen", "x"), Required: []string{"database", "issuer", "master_key_file"},
	})
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	for _, part := range []string{"nonsense", "log.level", "token.algorithm (from KAGIBAN_TOKEN_ALGORITHM)", "listen (from --listen)",
		"database: not set",
		"issuer: not set", "kagiban init --generate-master-key"} {
		if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, part) }) {
			t.Errorf("no fault names %s: %q", part, faults)
		}
	}
	if len(faults) != 7 {
		t.Errorf("%d faults: %q", len(faults), faults)
	}
}

func TestPlatformsMayMakeUpVariables(t *testing.T) {
	_, err := config.Load(config.Sources{Environ: []string{"KAGIBAN_PORT=tcp://10.0.0.1:4280", "KAGIBAN_SERVICE_HOST=10.0.0.1",
		"KAGIBAN_PORT_4280_TCP_ADDR=10.0.0.1",
		"KAGIBAN_URL=http://x", "KAGIBAN_APIKEY=x", "KAGIBAN_TEST_PG=x"}})
	if err != nil {
		t.Errorf("variables of others are faults: %v", err)
	}
}

func TestMasterKeysKeepTheirOrder(t *testing.T) {
	other := write(t, "old.key", strings.Repeat("fedcba9876543210", 4))
	s, err := config.Load(config.Sources{Environ: []string{"KAGIBAN_MASTER_KEY=" + key, "KAGIBAN_PREVIOUS_MASTER_KEY_FILES=" + other},
		Required: []string{"master_key_file"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.MasterKeys) != 2 || s.MasterKeys[0].ID() == s.MasterKeys[1].ID() {
		t.Errorf("got %d keys", len(s.MasterKeys))
	}
	if text := fmt.Sprintf("%+v", *s); strings.Contains(text, key) {
		t.Error("settings print the master key")
	}
	same := write(t, "same.key", key)
	for name, env := range map[string][]string{
		"twice":    {"KAGIBAN_MASTER_KEY=" + key, "KAGIBAN_PREVIOUS_MASTER_KEY_FILES=" + same},
		"two ways": {"KAGIBAN_MASTER_KEY=" + key, "KAGIBAN_MASTER_KEY_FILE=" + same},
	} {
		if _, err := config.Load(config.Sources{Environ: env}); err == nil {
			t.Errorf("a master key given %s was taken", name)
		}
	}
}

func TestAClientsSecretMayLieInAFile(t *testing.T) {
	file := write(t, "client", "from-a-file\n")
	s, err := config.Load(config.Sources{Environ: []string{"KAGIBAN_OAUTH_CLIENTS=a:inline,b:@" + file}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Clients[0].Secret.Reveal() != "inline" || s.Clients[1].Secret.Reveal() != "from-a-file" {
		t.Error("wrong secrets")
	}
}

func TestIssuersLoseTheirSlashAndIdentity(t *testing.T) {
	for _, text := range []string{"https://iam.cloud.ibm.com", "https://iam.cloud.ibm.com/", "https://iam.cloud.ibm.com/identity",
		"https://iam.cloud.ibm.com/identity/"} {
		if got, err := config.ParseIssuer(text); err != nil || got != "https://iam.cloud.ibm.com" {
			t.Errorf("%s became %q, %v", text, got, err)
		}
	}
}

func FuzzConfigurationFile(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n")
	f.Add("tls: {cert: a, key: b}\noauth_clients: [a:b]\n")
	f.Add("{")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "@") || strings.Contains(text, "_file") || strings.Contains(text, "cert") {
			return // names files of this machine
		}
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := config.Load(config.Sources{File: path})
		if (s == nil) == (err == nil) {
			t.Errorf("settings %v and error %v", s, err)
		}
		var faults config.Faults
		if err != nil && !errors.As(err, &faults) {
			t.Errorf("an error that is no fault: %v", err)
		}
	})
}
