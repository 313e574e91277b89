// Package catalog holds the services, actions and roles that policies speak
// of, as data: the built-in ones and those of the operator's own products. It
// compiles nothing and decides nothing; package policy does.
package catalog

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kagiban/kagiban/internal/policy"
)

//go:embed data/*.yaml
var builtin embed.FS

// File is the form of a catalogue file.
type File struct {
	Common   []Grant   `yaml:"common,omitempty" json:"common,omitempty"`
	Services []Service `yaml:"services,omitempty" json:"services,omitempty"`
}

// Service describes one service in a catalogue file.
type Service struct {
	Name        string `yaml:"name" json:"name"`
	DisplayName string `yaml:"display_name,omitempty" json:"display_name,omitempty"`
	Group       string `yaml:"group,omitempty" json:"group,omitempty"`
	Platform    bool   `yaml:"platform,omitempty" json:"platform,omitempty"`
	Parent      string `yaml:"parent,omitempty" json:"parent,omitempty"`
	// Roles are roles beside the ones that every service has.
	Roles []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
	// Grants say which roles hold which actions; actions without the service's
	// name in front get it.
	Grants []Grant `yaml:"grants,omitempty" json:"grants,omitempty"`
	// Self lists actions that the holder or creator of an object may do to it
	// without a policy.
	Self []string `yaml:"self,omitempty" json:"self,omitempty"`
	// Members lists actions that every member of an account may do in it without a
	// policy, unless the account restricts them. Files alone may say it: accounts
	// have settings for what the built-in services list.
	Members []string `yaml:"members,omitempty" json:"-"`
}

// Role is a role of a service.
type Role struct {
	Name        string `yaml:"name" json:"name"`
	DisplayName string `yaml:"display_name,omitempty" json:"display_name,omitempty"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Of is "template" for the two roles of enterprise templates and "restriction"
	// for a role to do what an account's settings restrict, else "". The owner of
	// an account holds neither without a policy.
	Of string `yaml:"of,omitempty" json:"of,omitempty"`
}

// Grant gives actions to roles, both by name.
type Grant struct {
	Roles   []string `yaml:"roles" json:"roles"`
	Actions []string `yaml:"actions" json:"actions"`
}

const (
	platformPrefix = "crn:v1:bluemix:public:iam::::role:"
	servicePrefix  = "crn:v1:bluemix:public:iam::::serviceRole:"
)

// standard are the roles that every service has, in the order of lists.
var standard = []policy.Role{
	{CRN: platformPrefix + "Administrator", Name: "Administrator", DisplayName: "Administrator", Kind: policy.RoleSystem,
		Description: "Does every platform action on the resource, giving others access to it included."},
	{CRN: platformPrefix + "Editor", Name: "Editor", DisplayName: "Editor", Kind: policy.RoleSystem,
		Description: "Creates, changes and deletes resources; gives nobody access."},
	{CRN: platformPrefix + "Operator", Name: "Operator", DisplayName: "Operator", Kind: policy.RoleSystem,
		Description: "Runs and configures resources that are there."},
	{CRN: platformPrefix + "Viewer", Name: "Viewer", DisplayName: "Viewer", Kind: policy.RoleSystem,
		Description: "Looks at resources and changes nothing."},
	{CRN: servicePrefix + "Reader", Name: "Reader", DisplayName: "Reader", Kind: policy.RoleService, Description: "Reads within a service."},
	{CRN: servicePrefix + "Writer", Name: "Writer", DisplayName: "Writer", Kind: policy.RoleService,
		Description: "Reads and changes within a service."},
	{CRN: servicePrefix + "Manager", Name: "Manager", DisplayName: "Manager", Kind: policy.RoleService,
		Description: "Does everything within a service."},
	{CRN: servicePrefix + "ServiceConfigurationReader", Name: "ServiceConfigurationReader", DisplayName: "Service Configuration Reader",
		Kind: policy.RoleService, Description: "Reads the configuration of a service for compliance checks."},
	{CRN: servicePrefix + "KeyManager", Name: "KeyManager", DisplayName: "Key Manager", Kind: policy.RoleService,
		Description: "Manages the service credentials of instances."},
}

var templateRoles = map[string]policy.Role{
	"TemplateAdministrator": {CRN: platformPrefix + "TemplateAdministrator", Name: "TemplateAdministrator",
		DisplayName: "Template Administrator", Kind: policy.RoleSystem, Apart: true, Description: "Creates and changes enterprise templates."},
	"TemplateAssignmentAdministrator": {CRN: platformPrefix + "TemplateAssignmentAdministrator", Name: "TemplateAssignmentAdministrator",
		DisplayName: "Template Assignment Administrator", Kind: policy.RoleSystem, Apart: true,
		Description: "Assigns enterprise templates to accounts."},
}

// Set is what catalogue files say.
type Set struct {
	common   []Grant
	services []Service // in the order in which they first appeared
}

// BuiltinSet reads the built-in services and those of the operator's folders: a
// service there replaces the built-in one of the same name.
func BuiltinSet(own ...fs.FS) (*Set, error) {
	data, err := fs.Sub(builtin, "data")
	if err != nil {
		return nil, fmt.Errorf("opening built-in catalogue: %w", err)
	}
	return Parse(append([]fs.FS{data}, own...)...)
}

// Parse reads all *.yaml files of the folders; later folders replace services
// of earlier ones. The error joins every fault with its file.
func Parse(dirs ...fs.FS) (*Set, error) {
	set := &Set{}
	var faults []error
	for _, dir := range dirs {
		names, err := fs.Glob(dir, "*.yaml")
		if err != nil {
			return nil, fmt.Errorf("listing catalogue files: %w", err)
		}
		slices.Sort(names)
		for _, name := range names {
			f, err := read(dir, name)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			set.common = append(set.common, f.Common...)
			for _, s := range f.Services {
				set.put(s)
			}
		}
	}
	return set, errors.Join(faults...)
}

func (set *Set) put(s Service) {
	if i := set.index(s.Name); i >= 0 {
		set.services[i] = s
		return
	}
	set.services = append(set.services, s)
}

func (set *Set) index(name string) int {
	return slices.IndexFunc(set.services, func(s Service) bool { return s.Name == name })
}

// Service finds a service by name.
func (set *Set) Service(name string) (Service, bool) {
	if i := set.index(name); i >= 0 {
		return set.services[i], true
	}
	return Service{}, false
}

// Expand gives the engine's form of the set with further services, which
// replace those of the same name. The error joins every fault.
func (set *Set) Expand(own ...Service) ([]policy.Service, error) {
	all := &Set{common: set.common, services: slices.Clone(set.services)}
	for _, s := range own {
		all.put(s)
	}
	var faults []error
	services := make([]policy.Service, 0, len(all.services))
	for _, s := range all.services {
		expanded, err := Expand(s, all.common)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		services = append(services, expanded)
	}
	return withCommonActions(services, all.common), errors.Join(faults...)
}

func read(dir fs.FS, name string) (File, error) {
	var f File
	raw, err := fs.ReadFile(dir, name)
	if err != nil {
		return f, fmt.Errorf("reading catalogue file %s: %w", name, err)
	}
	if err := decode(raw, &f); err != nil {
		return f, fmt.Errorf("reading catalogue file %s: %w", name, err)
	}
	return f, nil
}

// decode refuses unknown keys, and a second document that nobody would read.
func decode(raw []byte, f *File) error {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) { // an empty file adds nothing
		return err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document in it")
	}
	return nil
}

// Expand gives the engine's form of a service: the standard roles with the
// common actions and the service's own ones.
func Expand(s Service, common []Grant) (policy.Service, error) {
	out := policy.Service{Name: s.Name, Group: s.Group, Platform: s.Platform, Parent: s.Parent}
	out.Roles = slices.Clone(standard)
	var faults []error
	for _, r := range s.Roles {
		role, ok := templateRoles[r.Name]
		if r.Of != "template" || !ok {
			role = policy.Role{CRN: "crn:v1:bluemix:public:" + s.Name + "::::serviceRole:" + r.Name, Name: r.Name, DisplayName: r.DisplayName,
				Description: r.Description, Kind: policy.RoleService, Apart: r.Of == "restriction"}
			if role.DisplayName == "" {
				role.DisplayName = r.Name
			}
		}
		out.Roles = append(out.Roles, role)
	}
	if s.Name == "" {
		faults = append(faults, errors.New("catalogue: a service has no name"))
	}
	grant := func(g Grant, prefix bool) {
		actions := make([]string, len(g.Actions))
		for i, a := range g.Actions {
			actions[i] = a
			if prefix {
				actions[i] = qualified(s, a)
			}
		}
		for _, name := range g.Roles {
			i := slices.IndexFunc(out.Roles, func(r policy.Role) bool { return r.Name == name })
			if i < 0 {
				faults = append(faults, fmt.Errorf("catalogue: service %s grants to role %s, which it does not have", s.Name, name))
				continue
			}
			out.Roles[i].Actions = union(out.Roles[i].Actions, actions)
		}
		if prefix {
			for _, a := range actions {
				if !slices.ContainsFunc(out.Actions, func(x policy.Action) bool { return x.ID == a }) {
					out.Actions = append(out.Actions, policy.Action{ID: a, DisplayName: title(a)})
				}
			}
		}
	}
	out.SelfActions, out.MemberActions = qualifiedAll(s, s.Self), qualifiedAll(s, s.Members)
	for _, g := range common {
		grant(g, false)
	}
	for _, g := range s.Grants {
		grant(g, true)
	}
	for i := range out.Roles {
		if out.Roles[i].Actions == nil {
			out.Roles[i].Actions = []string{}
		}
	}
	return out, errors.Join(faults...)
}

// withCommonActions defines the common actions at the first service, so that
// the compiler knows them; which service defines an action has no meaning.
func withCommonActions(services []policy.Service, common []Grant) []policy.Service {
	if len(services) == 0 {
		return services
	}
	first := &services[0]
	for _, g := range common {
		for _, a := range g.Actions {
			if !slices.ContainsFunc(first.Actions, func(x policy.Action) bool { return x.ID == a }) {
				first.Actions = append(first.Actions, policy.Action{ID: a, DisplayName: title(a)})
			}
		}
	}
	return services
}

// qualified puts the service's name before a short action. A child service's
// actions carry the name of its first segment's family, as sent.
func qualified(s Service, action string) string {
	if strings.HasPrefix(action, s.Name+".") {
		return action
	}
	return s.Name + "." + action
}

func qualifiedAll(s Service, actions []string) (out []string) {
	for _, a := range actions {
		out = append(out, qualified(s, a))
	}
	return out
}

func union(a, b []string) []string {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}

// title words an action id: "iam-identity.apikey.get" is "Apikey get".
func title(action string) string {
	parts := strings.Split(action, ".")
	if len(parts) > 1 {
		parts = parts[len(parts)-2:]
	}
	t := strings.NewReplacer("-", " ", "_", " ").Replace(strings.Join(parts, " "))
	if t == "" {
		return action
	}
	return strings.ToUpper(t[:1]) + t[1:]
}
