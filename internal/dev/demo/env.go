package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Variable is a line of the environment file.
type Variable struct{ Name, Value string }

// Env gives the environment file's lines for a server at a URL. The names are
// those that the official suites, the samples and the tests read.
func (d *Data) Env(url string) []Variable {
	return []Variable{
		{"KAGIBAN_URL", url},
		{"KAGIBAN_APIKEY", d.OwnerKey.Value.Reveal()},
		{"KAGIBAN_IAM_ID", d.Owner.IAMID},
		{"KAGIBAN_ACCOUNT_ID", d.Root},
		{"KAGIBAN_ENTERPRISE_ID", d.Enterprise},
		{"KAGIBAN_ENTERPRISE_ACCOUNT_ID", d.Root},
		{"KAGIBAN_ENTERPRISE_SUBACCOUNT_ID", d.Child},
		{"KAGIBAN_ACCOUNT_GROUP_ID", d.Group},
		{"KAGIBAN_POLICY_TEMPLATE_ID", d.PolicyTemplate},
		{"KAGIBAN_USER_ID", d.Member.IAMID},
		{"KAGIBAN_MEMBER_EMAIL", d.MemberEmail},
		{"KAGIBAN_VIEWER_ROLE_ID", roleViewer},
		{"KAGIBAN_ACCESS_GROUP_ID", d.AccessGroup},
		{"KAGIBAN_ADMIN_APIKEY", d.AdminKey.Value.Reveal()},
		{"KAGIBAN_SERVICE_ID", d.ServiceID},
		{"KAGIBAN_SERVICE_APIKEY", d.ServiceKey.Value.Reveal()},
		{"KAGIBAN_CONSOLE_USER", d.Console.Email},
		{"KAGIBAN_CONSOLE_PASSWORD", d.Password.Reveal()},
		{"KAGIBAN_CALLER_ACCOUNT_ID", d.Caller},
		{"KAGIBAN_CALLER_APIKEY", d.VisitorKey.Value.Reveal()},
		{"KAGIBAN_CALLED_ACCOUNT_ID", d.Called},
		{"KAGIBAN_PROFILE_ID", d.Profile},
		{"KAGIBAN_PROFILE_NAME", ProfileName},
	}
}

// Lines prints variables as an environment file, each with the prefix in front.
func Lines(vars []Variable, prefix string) string {
	var b strings.Builder
	for _, v := range vars {
		b.WriteString(prefix + v.Name + "=" + v.Value + "\n")
	}
	return b.String()
}

// WriteEnv writes the environment file at once: whoever sees the file sees all
// of it. It holds keys, so its mode is 0600.
func WriteEnv(path string, vars []Variable) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing environment file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it may be renamed already
			err = fmt.Errorf("writing environment file: %w", err)
		}
	}()
	if _, err = f.WriteString(Lines(vars, "")); err != nil {
		_ = f.Close() // the first error is the one to tell
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
