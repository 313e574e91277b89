package template

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// Limits bound templates; the counts are those that the tutorial's answers show.
type Limits struct{ Templates, Versions int }

// DefaultLimits are 100 templates of a kind in an enterprise and 100 versions
// of a template.
var DefaultLimits = Limits{Templates: 100, Versions: 100}

// Bounds of texts, as documented for role and group templates.
const (
	maxName        = 100
	maxDescription = 300
)

// Config is what a Service stands on. DB, Tree and Kinds are required.
type Config struct {
	DB     store.DB
	Now    func() time.Time // nil: time.Now
	IDs    id.Generator     // the zero value draws from crypto/rand
	Tree   *enterprise.Service
	Kinds  []*Kind
	Limits Limits // the zero value stands for DefaultLimits
	Meter  Meter  // nil: nobody hears
	// Trouble hears of each internal error that put an account off; nil: nobody.
	Trouble func(accountID string, err error)
}

// Service keeps templates and their assignments. It is safe for concurrent use.
type Service struct {
	db      store.DB
	now     func() time.Time
	ids     id.Generator
	tree    *enterprise.Service
	limits  Limits
	meter   Meter
	trouble func(accountID string, err error)
	kinds   map[string]*Kind
	agenda  agenda
	rests   rests
}

// New makes the service.
func New(c Config) *Service {
	s := &Service{db: c.DB, now: c.Now, ids: c.IDs, tree: c.Tree, limits: cmp.Or(c.Limits, DefaultLimits), meter: c.Meter, trouble: c.Trouble,
		kinds: map[string]*Kind{}, agenda: agenda{wake: make(chan struct{}, 1)}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.meter == nil {
		s.meter = noMeter{}
	}
	if s.trouble == nil {
		s.trouble = func(string, error) {}
	}
	for _, k := range c.Kinds {
		s.kinds[k.Name] = k
	}
	return s
}

// Limits gives the limits that are in force.
func (s *Service) Limits() Limits { return s.limits }

// kind gives a kind by name. Asking for one that New did not get is a defect.
func (s *Service) kind(name string) *Kind {
	k := s.kinds[name]
	if k == nil {
		panic("no template kind " + name)
	}
	return k
}

// CRN is the resource name of a template.
func CRN(t *Template) string {
	return "crn:v1:bluemix:public:iam-identity::a/" + t.Account + "::template:" + t.ID
}

func (s *Service) event(kind *Kind, verb string, t *Template, params ...string) store.Event {
	return store.Event{Action: kind.Action + "." + verb, CRN: CRN(t), Name: t.Name, Params: params,
		Message: "Enterprise IAM: " + verb + " " + kind.Title + " " + t.Name}
}

// NoTemplate is the error for a template or version that is not there, or not
// for the caller to know.
func NoTemplate(templateID string) *fault.Error {
	e := fault.NoObject("Template", templateID)
	e.Message = "Template with Id " + templateID + " not found."
	return e
}

// NoVersion is the error for a version of a template that is not there; number
// is as the client wrote it.
func NoVersion(templateID, number string) *fault.Error {
	e := NoTemplate(templateID)
	e.Message = "Version '" + number + "' of template '" + templateID + "' not found."
	return e
}

// NoAssignment is the error for an assignment that is not there. Terraform
// looks for "not found" in its message.
func NoAssignment(assignmentID string) *fault.Error {
	e := fault.NoObject("Assignment", assignmentID)
	e.Message = "Assignment with Id " + assignmentID + " not found."
	return e
}

// Draft is what clients send of a version. Nil leaves what is stored.
type Draft struct {
	Name        *string
	Description *string
	Payload     json.RawMessage
	References  []Reference // nil: leave
	Committed   bool
}

func (d *Draft) check() error {
	if d.Name != nil {
		if n := utf8.RuneCountInString(*d.Name); n < 1 || n > maxName {
			return fault.Field("name", "Property 'name' must have 1 to %d characters.", maxName)
		}
	}
	if d.Description != nil && utf8.RuneCountInString(*d.Description) > maxDescription {
		return fault.Field("description", "Property 'description' must have at most %d characters.", maxDescription)
	}
	return nil
}

// Check judges a draft before anything is looked up.
func (s *Service) Check(ctx context.Context, kind, root string, d Draft) error {
	if err := d.check(); err != nil {
		return err
	}
	return s.kind(kind).Check(ctx, root, d.Payload, d.Committed)
}

// Create makes a template with its first version in a root enterprise account.
func (s *Service) Create(ctx context.Context, kind, root string, d Draft) (t *Template, v *Version, err error) {
	if d.Name == nil {
		return nil, nil, fault.Missing("name")
	}
	if err := s.Check(ctx, kind, root, d); err != nil {
		return nil, nil, err
	}
	k := s.kind(kind)
	if _, err := s.tree.OfRoot(ctx, root); err != nil {
		if errors.Is(err, fault.NotFound) {
			err = fault.Field("account_id", "Templates live in the root account of an enterprise; account '%s' is none.", root)
		}
		return nil, nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		n, err := Templates.Count(ctx, tx, store.Query{Account: root, Parent: kind})
		if err != nil {
			return err
		}
		if n >= s.limits.Templates {
			return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: fmt.Sprintf("The enterprise has %d templates of this kind, its limit.", n)}
		}
		t = &Template{Meta: store.Meta{Account: root, ID: s.ids.New(k.TemplatePrefix), Parent: kind, Name: *d.Name}, Latest: 1}
		if err := Templates.Create(ctx, tx, t, s.event(k, "create", t)); err != nil {
			return err
		}
		v = newVersion(t, 1, d)
		if err := s.checkReferences(ctx, tx, v, d.Committed); err != nil {
			return err
		}
		return Versions.Create(ctx, tx, v, store.Event{Action: k.Action + ".create", Name: t.Name})
	})
	return t, v, err
}

func newVersion(t *Template, number int, d Draft) *Version {
	v := &Version{Meta: store.Meta{Account: t.Account, ID: VersionID(t.ID, number), Parent: t.ID, Name: t.Name},
		Kind: t.Kind(), Number: number, Committed: d.Committed, Payload: d.Payload, References: d.References}
	if d.Description != nil {
		v.Description = *d.Description
	}
	return v
}

// uses gives all versions of other templates that a version needs directly.
func (s *Service) uses(v *Version) ([]Reference, error) {
	k := s.kind(v.Kind)
	if k.Uses == nil {
		return v.References, nil
	}
	more, err := k.Uses(v.Payload)
	return append(slices.Clone(v.References), more...), err
}

// checkReferences demands that referenced versions are there, and committed
// once the version itself is.
func (s *Service) checkReferences(ctx context.Context, r store.Reader, v *Version, final bool) error {
	refs, err := s.uses(v)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		other, err := Versions.Get(ctx, r, v.Account, VersionID(ref.ID, ref.Version))
		if errors.Is(err, fault.NotFound) || err == nil && other.Kind != ref.Kind {
			return fault.Field("template_references", "Referenced template '%s' has no version %d.", ref.ID, ref.Version)
		}
		if err != nil {
			return err
		}
		if final && !other.Committed {
			return fault.Field("template_references", "Version %d of referenced template '%s' is not committed.", ref.Version, ref.ID)
		}
		if !final {
			continue
		}
		if err := s.checkReferences(ctx, r, other, true); err != nil {
			return err
		}
	}
	return nil
}

// Template gives the head of a template of a kind.
func (s *Service) Template(ctx context.Context, kind, templateID string) (*Template, error) {
	return headOf(ctx, s.db.Direct(), kind, templateID)
}

func headOf(ctx context.Context, r store.Reader, kind, templateID string) (*Template, error) {
	t, err := Templates.Get(ctx, r, "", templateID)
	if errors.Is(err, fault.NotFound) || err == nil && t.Kind() != kind {
		return nil, NoTemplate(templateID)
	}
	return t, err
}

// Version gives one version; number 0 is the latest there is.
func (s *Service) Version(ctx context.Context, t *Template, number int) (*Version, error) {
	return versionOf(ctx, s.db.Direct(), t, number)
}

func versionOf(ctx context.Context, r store.Reader, t *Template, number int) (*Version, error) {
	if number == 0 {
		all, err := Versions.List(ctx, r, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil {
			return nil, err
		}
		for _, v := range all {
			if v.Number > number {
				number = v.Number
			}
		}
	}
	v, err := Versions.Get(ctx, r, t.Account, VersionID(t.ID, number))
	if errors.Is(err, fault.NotFound) {
		return nil, NoVersion(t.ID, strconv.Itoa(number))
	}
	return v, err
}

// List gives the templates of a kind in a root account, oldest first.
func (s *Service) List(ctx context.Context, kind, root string) ([]*Template, error) {
	return Templates.List(ctx, s.db.Direct(), store.Query{Account: root, Parent: kind})
}

// ListVersions gives the versions of a template, oldest first.
func (s *Service) ListVersions(ctx context.Context, t *Template) ([]*Version, error) {
	return Versions.List(ctx, s.db.Direct(), store.Query{Account: t.Account, Parent: t.ID})
}

// AddVersion makes the next version. A name renames the template.
func (s *Service) AddVersion(ctx context.Context, kind, templateID string, d Draft) (t *Template, v *Version, err error) {
	k := s.kind(kind)
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if t, err = headOf(ctx, tx, kind, templateID); err != nil {
			return err
		}
		n, err := Versions.Count(ctx, tx, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil {
			return err
		}
		if n >= s.limits.Versions {
			return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: fmt.Sprintf("The template has %d versions, its limit.", n)}
		}
		t.Latest++
		rename(t, d)
		v = newVersion(t, t.Latest, d)
		if err := s.checkReferences(ctx, tx, v, d.Committed); err != nil {
			return err
		}
		if err := Versions.Create(ctx, tx, v, store.Event{Action: k.Action + ".create", Name: t.Name}); err != nil {
			return err
		}
		return Templates.Update(ctx, tx, t, s.event(k, "update", t, "versions"))
	})
	return t, v, err
}

func rename(t *Template, d Draft) bool {
	if d.Name == nil || *d.Name == t.Name {
		return false
	}
	t.Name = *d.Name
	return true
}

// changeVersion applies fn to a version in a transaction, after the
// precondition (none when ifMatch is "").
func (s *Service) changeVersion(ctx context.Context, kind, templateID string, number int, ifMatch string, fn func(store.Tx, *Template, *Version) error) (t *Template, v *Version, err error) {
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if t, err = headOf(ctx, tx, kind, templateID); err != nil {
			return err
		}
		if v, err = Versions.Get(ctx, tx, t.Account, VersionID(t.ID, number)); err != nil {
			if errors.Is(err, fault.NotFound) {
				return NoVersion(templateID, strconv.Itoa(number))
			}
			return err
		}
		if ifMatch != "" {
			if err := v.Match(ifMatch); err != nil {
				return err
			}
		}
		return fn(tx, t, v)
	})
	return t, v, err
}

// UpdateVersion changes a version that is not committed.
func (s *Service) UpdateVersion(ctx context.Context, kind, templateID string, number int, ifMatch string, d Draft) (*Template, *Version, error) {
	k := s.kind(kind)
	return s.changeVersion(ctx, kind, templateID, number, ifMatch, func(tx store.Tx, t *Template, v *Version) error {
		if v.Committed {
			return &fault.Error{Kind: fault.State, Code: "invalid_state", Number: "BXNIM0908E", Message: "Template in committed state.",
				Details: fmt.Sprintf("Version %d of template '%s' is committed and cannot be changed.", number, t.ID)}
		}
		if d.Payload != nil {
			v.Payload = d.Payload
		}
		if d.References != nil {
			v.References = d.References
		}
		if d.Description != nil {
			v.Description = *d.Description
		}
		v.Committed = d.Committed
		if err := k.Check(ctx, t.Account, v.Payload, v.Committed); err != nil {
			return err
		}
		if err := s.checkReferences(ctx, tx, v, v.Committed); err != nil {
			return err
		}
		if rename(t, d) {
			if err := Templates.Update(ctx, tx, t, s.event(k, "update", t, "name")); err != nil {
				return err
			}
		}
		return Versions.Update(ctx, tx, v, s.event(k, "update", t, "version"))
	})
}

// Commit makes a version final. Committing a committed one changes nothing.
func (s *Service) Commit(ctx context.Context, kind, templateID string, number int, ifMatch string) error {
	k := s.kind(kind)
	_, _, err := s.changeVersion(ctx, kind, templateID, number, ifMatch, func(tx store.Tx, t *Template, v *Version) error {
		if v.Committed {
			return nil
		}
		if err := k.Check(ctx, t.Account, v.Payload, true); err != nil {
			return err
		}
		if err := s.checkReferences(ctx, tx, v, true); err != nil {
			return err
		}
		v.Committed = true
		return Versions.Update(ctx, tx, v, s.event(k, "update", t, "committed"))
	})
	return err
}

// DeleteVersion deletes a version that is not assigned; the last one takes the
// template with it.
func (s *Service) DeleteVersion(ctx context.Context, kind, templateID string, number int) error {
	k := s.kind(kind)
	_, _, err := s.changeVersion(ctx, kind, templateID, number, "", func(tx store.Tx, t *Template, v *Version) error {
		if err := s.notAssigned(ctx, tx, t, number); err != nil {
			return err
		}
		n, err := Versions.Count(ctx, tx, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil {
			return err
		}
		if err := Versions.Delete(ctx, tx, v, s.event(k, "delete", t, "version")); err != nil || n > 1 {
			return err
		}
		return Templates.Delete(ctx, tx, t, s.event(k, "delete", t))
	})
	return err
}

// Delete deletes a template with all its versions when none is assigned.
func (s *Service) Delete(ctx context.Context, kind, templateID string) error {
	k := s.kind(kind)
	return s.db.Update(ctx, func(tx store.Tx) error {
		t, err := headOf(ctx, tx, kind, templateID)
		if err != nil {
			return err
		}
		if err := s.notAssigned(ctx, tx, t, 0); err != nil {
			return err
		}
		versions, err := Versions.List(ctx, tx, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil {
			return err
		}
		for _, v := range versions {
			if err := Versions.Delete(ctx, tx, v, store.Event{Action: k.Action + ".delete", Name: t.Name}); err != nil {
				return err
			}
		}
		return Templates.Delete(ctx, tx, t, s.event(k, "delete", t))
	})
}

// notAssigned refuses to delete what an assignment uses, directly or through
// the templates that the assigned version refers to. Number 0 stands for every
// version.
func (s *Service) notAssigned(ctx context.Context, tx store.Tx, t *Template, number int) error {
	all, err := Assignments.List(ctx, tx, store.Query{Account: t.Account})
	if err != nil {
		return err
	}
	for _, a := range all {
		used, err := s.draws(ctx, tx, t, number, Reference{ID: a.Template(), Version: a.Number})
		if err != nil {
			return err
		}
		if used {
			return &fault.Error{Kind: fault.Conflict, Code: "template_in_use", Message: "The template is assigned. Remove its assignments first.",
				Details: "Template '" + t.ID + "', assignment '" + a.ID + "'."}
		}
	}
	return nil
}

// draws tells whether a version is the sought one or draws on it. References
// lead from kind to kind without a way back, so that this ends.
func (s *Service) draws(ctx context.Context, r store.Reader, t *Template, number int, ref Reference) (bool, error) {
	if ref.ID == t.ID {
		return number == 0 || ref.Version == number, nil
	}
	v, err := Versions.Get(ctx, r, t.Account, VersionID(ref.ID, ref.Version))
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	refs, err := s.uses(v)
	if err != nil {
		return false, err
	}
	for _, next := range refs {
		if used, err := s.draws(ctx, r, t, number, next); used || err != nil {
			return used, err
		}
	}
	return false, nil
}
