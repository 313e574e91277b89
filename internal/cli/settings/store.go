package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
)

const (
	fileName = "config.json"
	lockName = "config.lock"
)

// Store is the folder that holds the settings. Its methods are safe for
// concurrent use by several processes.
type Store struct {
	dir string
}

// NewStore returns the store in the folder of the command line: ".kagiban"
// under KAGIBAN_HOME or, without that, under the user's home.
func NewStore(getenv func(string) string) (*Store, error) {
	home := getenv("KAGIBAN_HOME")
	if home == "" {
		home = getenv("HOME")
	}
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return nil, errors.New("no home folder is known; set KAGIBAN_HOME to a folder for the settings")
		}
	}
	return &Store{dir: filepath.Join(home, ".kagiban")}, nil
}

// Path is the settings file's path.
func (s *Store) Path() string { return filepath.Join(s.dir, fileName) }

// Load reads the settings; those of a user who never logged in are zero.
func (s *Store) Load() (Settings, error) {
	text, err := os.ReadFile(s.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("reading the settings: %w", err)
	}
	var set Settings
	if err := json.Unmarshal(text, &set); err != nil {
		return Settings{}, fmt.Errorf("the settings in %s are damaged; remove the file and log in again", s.Path())
	}
	return set, nil
}

// Update changes the settings under a lock that holds out every other process,
// so that change may read, call a server, and write: of two processes that
// find a dead token, one renews it and the other sees the new one. The file is
// replaced as a whole or, when change fails or changes nothing, left alone.
func (s *Store) Update(change func(*Settings) error) error {
	if err := s.ensureFolder(); err != nil {
		return err
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(s.dir, lockName)).Lock()
	if err != nil {
		return fmt.Errorf("locking the settings: %w", err)
	}
	defer unlock()
	set, err := s.Load()
	if err != nil {
		return err
	}
	before, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("encoding the settings: %w", err)
	}
	if err := change(&set); err != nil {
		return err
	}
	after, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("encoding the settings: %w", err)
	}
	if bytes.Equal(before, after) {
		return nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, after, "", "  "); err != nil {
		return fmt.Errorf("encoding the settings: %w", err)
	}
	out.WriteByte('\n')
	return s.replace(out.Bytes())
}

// ensureFolder makes the folder, and closes it to others if it was open.
func (s *Store) ensureFolder() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the settings: %w", err)
	}
	info, err := os.Stat(s.dir)
	if err != nil {
		return fmt.Errorf("making the folder of the settings: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(s.dir, 0o700); err != nil { //nolint:gosec // a folder must be searched
		return fmt.Errorf("closing the folder of the settings to others: %w", err)
	}
	return nil
}

// replace writes a new file beside the old one and puts it in its place, so
// that a reader sees the old or the new one and a crash leaves one of them.
func (s *Store) replace(text []byte) error {
	tmp, err := os.CreateTemp(s.dir, "config-*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the settings: %w", err)
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), s.Path())
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error matters
		return fmt.Errorf("writing the settings: %w", err)
	}
	return nil
}
