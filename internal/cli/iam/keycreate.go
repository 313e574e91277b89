package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

const preserve = "Please preserve the API key! It cannot be retrieved after it's created."

// create makes a key and shows it once: on the terminal or in a file.
func (n *newKey) create(ctx context.Context, c *shell.Call, session *shell.Session, o owner) error {
	action, err := leakAction(n.leaked)
	if err != nil {
		return err
	}
	var file *keyFile
	if n.file != "" {
		// Before the key is made: a key that cannot be kept is lost.
		if file, err = newKeyFile(n.file); err != nil {
			return err
		}
		defer file.discard()
	}
	name := c.Args[0]
	c.Progress("Creating API key %s%s under %s as %s", name, o.of, session.Account(), session.User())
	made, err := client.Post[client.APIKey](ctx, session.API, apiKeys.Path, lockHeader(n.lock), struct {
		Name        string `json:"name"`
		IAMID       string `json:"iam_id"`
		AccountID   string `json:"account_id"`
		Description string `json:"description,omitempty"`
		Action      string `json:"action_when_leaked"`
	}{name, o.iamID, session.Account(), n.description, action})
	if err != nil {
		return err
	}
	sentence := o.label + " " + name + " was created"
	if o.of != "" {
		sentence = o.label + " " + name + " is created"
	}
	if file != nil {
		return n.keep(c, file, made, sentence)
	}
	return c.Show(made, func() {
		c.Say("%s", sentence)
		c.Blank()
		c.Say("%s", preserve)
		c.Details(keyRows(made.Value))
	})
}

// keep writes the key to its file. If that fails the key is shown after all.
func (n *newKey) keep(c *shell.Call, file *keyFile, made client.Object[client.APIKey], sentence string) error {
	if err := file.commit(made.Value); err != nil {
		c.Warn("%v; here is the key instead.", err)
		return c.Show(made, func() { c.Details(keyRows(made.Value)) })
	}
	return c.Show(withoutValue(made), func() {
		c.Say("%s", sentence)
		c.Say("Successfully saved API key information to %s", n.file)
	})
}

// withoutValue is the API object without the key itself.
func withoutValue(made client.Object[client.APIKey]) any {
	text, err := json.Marshal(made)
	if err != nil {
		return nil
	}
	var object map[string]any
	if json.Unmarshal(text, &object) != nil {
		return nil
	}
	delete(object, "apikey")
	return object
}

// keyFile is a key file in the making: a hidden file beside its place.
type keyFile struct {
	path string
	tmp  *os.File
}

func newKeyFile(path string) (*keyFile, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, shell.Problemf("%s is not a file; nothing was created.", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".apikey-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("preparing the key file, before anything was created: %w", err)
	}
	return &keyFile{path: path, tmp: tmp}, nil
}

// commit writes the key and puts the file in its place.
func (f *keyFile) commit(k client.APIKey) error {
	text, err := json.MarshalIndent(struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		CreatedAt   string `json:"createdAt"`
		Locked      bool   `json:"locked"`
		ID          string `json:"id"`
		Key         string `json:"apikey"`
	}{k.Name, k.Description, k.CreatedAt, k.Locked, k.ID, k.Value}, "", "  ")
	if err == nil {
		_, err = f.tmp.Write(append(text, '\n'))
	}
	if err == nil {
		err = f.tmp.Sync()
	}
	err = errors.Join(err, f.tmp.Close())
	if err == nil {
		err = os.Rename(f.tmp.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("writing the key file: %w", err)
	}
	f.tmp = nil
	return nil
}

// discard removes what commit did not put in place.
func (f *keyFile) discard() {
	if f.tmp != nil {
		_ = f.tmp.Close()
		_ = os.Remove(f.tmp.Name()) // it is empty, or the failure was reported
	}
}
