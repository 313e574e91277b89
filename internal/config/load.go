package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/valid"
)

// Sources are where settings come from. Empty ones are skipped.
type Sources struct {
	File    string         // path of a YAML file
	Environ []string       // "NAME=value", as os.Environ gives them
	Flags   *pflag.FlagSet // made with AddFlags
	// Required are the keys of settings that must be given: database, issuer,
	// master_key_file (which master_key satisfies too).
	Required []string
}

// AddFlags adds a flag for each setting of the table.
func AddFlags(flags *pflag.FlagSet) {
	for _, s := range Table() {
		if s.NoFlag {
			continue
		}
		help := s.Help + " (" + s.Form + ")"
		if s.List {
			flags.StringSlice(s.Flag(), nil, help)
		} else {
			flags.String(s.Flag(), s.Default, help)
		}
	}
}

// layer is one source with a name for faults.
type layer struct {
	*koanf.Koanf
	name func(*Setting) string
}

// Load reads the sources, a later one of file, environment and flags
// outweighing the earlier, and checks every value. The error is Faults; no
// fault hides another.
func Load(src Sources) (*Settings, error) {
	s := &Settings{}
	table := Table()
	layers, faults, whole := readLayers(src, table)
	for i := range table {
		if err := table[i].apply(s, layers); err != "" {
			faults = append(faults, err)
		}
	}
	if whole { // otherwise what is missing, and what does not go together, would be guesses
		faults = append(faults, missing(src.Required, layers)...)
		faults = append(faults, s.finish()...)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return s, nil
}

// missing names the settings that a command cannot do without and no layer has.
func missing(required []string, layers []layer) (faults Faults) {
	advice := map[string]string{
		"database":        "give the path of a SQLite file or a postgres:// URL",
		"issuer":          "give the URL under which clients reach this service, such as https://iam.example.com",
		"master_key_file": "make a master key with `kagiban init --generate-master-key FILE` and name its file here, or hand the key over in KAGIBAN_MASTER_KEY",
	}
	given := func(key string) bool {
		return slices.ContainsFunc(layers, func(l layer) bool { return l.Exists(key) && l.Get(key) != "" })
	}
	for _, key := range required {
		if !given(key) && !(key == "master_key_file" && given("master_key")) {
			faults = append(faults, key+": not set; "+advice[key])
		}
	}
	return faults
}

// readLayers gives the sources; whole is false when the file could not be read.
func readLayers(src Sources, table []Setting) (layers []layer, faults Faults, whole bool) {
	whole = true
	if src.File != "" {
		k, err := readFile(src.File)
		if err != nil {
			whole = false
			faults = append(faults, err.Error())
		} else {
			faults = append(faults, unknownKeys(k, table, src.File)...)
			faults = append(faults, openSecrets(k, table, src.File)...)
			layers = append(layers, layer{k, func(*Setting) string { return "in " + src.File }})
		}
	}
	env, unknown := environment(src.Environ, table)
	faults = append(faults, unknown...)
	layers = append(layers, layer{env, func(s *Setting) string { return "from " + s.Env() }})
	if src.Flags != nil {
		layers = append(layers, layer{flagLayer(src.Flags, table), func(s *Setting) string { return "from --" + s.Flag() }})
	}
	return layers, faults, whole
}

func readFile(path string) (*koanf.Koanf, error) {
	if _, err := readSmall(path); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		var pathErr *os.PathError
		if errors.As(err, &pathErr) {
			return nil, fmt.Errorf("configuration file: %w", err)
		}
		return nil, fmt.Errorf("configuration file %s: %s", path, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return k, nil
}

// unknownKeys names keys of the file that are no settings.
func unknownKeys(k *koanf.Koanf, table []Setting, path string) (faults Faults) {
	var names []string
	for _, s := range table {
		names = append(names, s.Key)
	}
	for _, key := range k.Keys() {
		if slices.Contains(names, key) {
			continue
		}
		faults = append(faults, fmt.Sprintf("%s (in %s): there is no such setting%s", key, path, didYouMean(key, names)))
	}
	return faults
}

// openSecrets names secrets in a file that every user of the machine may read.
func openSecrets(k *koanf.Koanf, table []Setting, path string) (faults Faults) {
	err := private(path)
	if err == nil {
		return nil
	}
	for _, s := range table {
		if s.secret == nil || !k.Exists(s.Key) {
			continue
		}
		if values, ok := scalars(k.Get(s.Key), s.List); ok && slices.ContainsFunc(values, s.secret) {
			faults = append(faults, fmt.Sprintf("%s (in %s): is a secret, and %v", s.Key, path, err))
		}
	}
	return faults
}

// environment reads the variables of the table. Other variables with our
// prefix are not faults (container platforms make up names such as
// KAGIBAN_PORT), unless one looks like a misspelt setting.
func environment(environ []string, table []Setting) (*koanf.Koanf, Faults) {
	values := map[string]any{}
	var names []string
	byName := map[string]*Setting{}
	for i := range table {
		byName[table[i].Env()] = &table[i]
		names = append(names, table[i].Env())
	}
	var faults Faults
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, EnvPrefix) {
			continue
		}
		s := byName[name]
		if s == nil {
			if hint := didYouMean(name, names); hint != "" {
				faults = append(faults, fmt.Sprintf("%s (environment): there is no such setting%s", name, hint))
			}
			continue
		}
		if s.List {
			values[s.Key] = splitList(value)
		} else {
			values[s.Key] = value
		}
	}
	return mapLayer(values), faults
}

func flagLayer(flags *pflag.FlagSet, table []Setting) *koanf.Koanf {
	values := map[string]any{}
	for _, s := range table {
		f := flags.Lookup(s.Flag())
		if s.NoFlag || f == nil || !f.Changed {
			continue
		}
		if s.List {
			list, err := flags.GetStringSlice(s.Flag())
			if err == nil {
				values[s.Key] = list
			}
		} else {
			values[s.Key] = f.Value.String()
		}
	}
	return mapLayer(values)
}

func mapLayer(values map[string]any) *koanf.Koanf {
	k := koanf.New(".")
	// A confmap provider cannot fail: it hands over the map.
	_ = k.Load(confmap.Provider(values, "."), nil)
	return k
}

func splitList(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// apply sets one setting from the last layer that has it, else from its
// default, and gives a line for a value that is wrong, "" for none.
func (s *Setting) apply(to *Settings, layers []layer) string {
	values, where := splitDefault(s), "default"
	for _, l := range layers {
		if !l.Exists(s.Key) {
			continue
		}
		got, ok := scalars(l.Get(s.Key), s.List)
		if !ok {
			return fmt.Sprintf("%s (%s): must be %s", s.Key, l.name(s), s.shape())
		}
		values, where = got, l.name(s)
	}
	for _, v := range values {
		if v == "" && !s.List {
			continue // an empty text unsets
		}
		if err := s.set(to, v); err != nil {
			return fmt.Sprintf("%s (%s): %v", s.Key, where, err)
		}
	}
	return ""
}

func splitDefault(s *Setting) []string {
	if s.List {
		return splitList(s.Default)
	}
	return []string{s.Default}
}

func (s *Setting) shape() string {
	if s.List {
		return "a list of texts: " + s.Form
	}
	return "a single value: " + s.Form
}

// scalars gives a value of the file as texts, and false when it has another
// shape than its setting.
func scalars(v any, list bool) ([]string, bool) {
	switch v := v.(type) {
	case []string:
		return v, list
	case []any:
		var out []string
		for _, item := range v {
			text, ok := scalars(item, false)
			if !ok {
				return nil, false
			}
			out = append(out, text...)
		}
		return out, list
	case string, bool, int, int64, uint64, float64:
		return []string{fmt.Sprint(v)}, true
	}
	return nil, false
}

func didYouMean(name string, names []string) string {
	if near := valid.Nearest(name, names); len(near) > 0 {
		return "; did you mean " + near[0] + "?"
	}
	return ""
}
