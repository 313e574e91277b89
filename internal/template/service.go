package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Limits bound templates: those of each kind in an enterprise, and the versions
// of each; 0 stands for the default.
type Limits struct{ Templates, Versions int }

// Rows are the limits as an operator sets them. The defaults are the counts that
// the official tutorial's answers show.
func (l *Limits) Rows() []limit.Row {
	return []limit.Row{
		{Key: "enterprise.max_templates", To: &l.Templates, Usual: 100, Most: 10000, Help: "Most templates of each kind in an enterprise."},
		{Key: "enterprise.max_template_versions", To: &l.Versions, Usual: 100, Most: 10000, Help: "Most versions of a template."},
	}
}

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
	Limits Limits
	Meter  Meter // nil: nobody hears
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
	tally   tally
}

// New makes the service.
func New(c Config) *Service {
	limit.Fill(c.Limits.Rows())
	s := &Service{db: c.DB, now: c.Now, ids: c.IDs, tree: c.Tree, limits: c.Limits, meter: c.Meter, trouble: c.Trouble,
		kinds: map[string]*Kind{}}
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

// Draft is what clients send of a version. A nil name, description or reference
// leaves what is stored; a nil payload is an empty one.
type Draft struct {
	Name        *string
	Description *string
	Payload     json.RawMessage
	References  []Reference
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
	if d.Name != nil {
		if err := valid.Line("name", *d.Name); err != nil {
			return err
		}
	}
	if d.Description != nil {
		return valid.Prose("description", *d.Description)
	}
	return nil
}

// Checked is a draft that its kind has read and has nothing against. Only Check
// and CheckNew make one.
type Checked struct {
	draft Draft
	kind  *Kind
	doc   Document
}

// Check reads and judges a draft before anything is looked up. That the versions
// which it refers to are there is judged when it is stored.
func (s *Service) Check(kind string, d Draft) (Checked, error) {
	if d.Payload == nil {
		d.Payload = json.RawMessage("{}")
	}
	c := Checked{draft: d, kind: s.kind(kind)}
	err := d.check()
	if err == nil {
		err = c.kind.knows(&d)
	}
	if err == nil {
		c.doc, err = c.kind.Decode(d.Payload)
	}
	if err == nil {
		err = c.doc.Check(d.Committed)
	}
	return c, err
}

// CheckNew is Check for the first version of a template, which needs a name.
func (s *Service) CheckNew(kind string, d Draft) (Checked, error) {
	if d.Name == nil {
		return Checked{}, fault.Missing("name")
	}
	return s.Check(kind, d)
}

// Create makes a template with its first version in a root enterprise account,
// from what CheckNew gave. What it refers to who asks must be allowed to read.
func (s *Service) Create(ctx context.Context, who asker.Asker, root string, c Checked) (t *Template, v *Version, err error) {
	k := c.kind
	if _, err := s.tree.OfRoot(ctx, root); err != nil {
		if errors.Is(err, fault.NotFound) {
			err = fault.Field("account_id", "Templates live in the root account of an enterprise; account '%s' is none.", root)
		}
		return nil, nil, err
	}
	rights, err := who.Rights(ctx, root)
	if err != nil {
		return nil, nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		n, err := Templates.Count(ctx, tx, store.Query{Account: root, Parent: k.Name})
		if err != nil {
			return err
		}
		if n >= s.limits.Templates {
			return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded",
				Message: fmt.Sprintf("The enterprise has %d templates of this kind, its limit.", n)}
		}
		t = &Template{Meta: store.Meta{Account: root, ID: s.ids.New(k.TemplatePrefix), Parent: k.Name, Name: *c.draft.Name}, Latest: 1}
		if err := Templates.Create(ctx, tx, t, s.event(k, "create", t)); err != nil {
			return err
		}
		v, err = s.createVersion(ctx, tx, rights, t, c)
		return err
	})
	return t, v, err
}

// createVersion stores a checked draft as the version that t says is the latest.
func (s *Service) createVersion(ctx context.Context, tx store.Tx, rights asker.Rights, t *Template, c Checked) (*Version, error) {
	v := &Version{Meta: store.Meta{Account: t.Account, ID: VersionID(t.ID, t.Latest), Parent: t.ID, Name: t.Name},
		Kind: t.Kind(), Number: t.Latest, Committed: c.draft.Committed, Payload: c.draft.Payload, References: c.draft.References}
	if c.draft.Description != nil {
		v.Description = *c.draft.Description
	}
	if err := s.mayRefer(rights, t.Account, needs(v, c.doc)); err != nil {
		return nil, err
	}
	if err := s.checkReferences(ctx, tx, t.Account, needs(v, c.doc), v.Committed); err != nil {
		return nil, err
	}
	return v, Versions.Create(ctx, tx, v, store.Event{Action: c.kind.Action + ".create", Name: t.Name})
}

// document reads what a stored version says.
func (s *Service) document(v *Version) (Document, error) { return s.kind(v.Kind).Decode(v.Payload) }

// needs gives all versions of other templates that a version needs directly.
func needs(v *Version, doc Document) []Reference {
	return append(slices.Clone(v.References), doc.Uses()...)
}

// checkReferences demands that needed versions are there, and that they and what
// they need are committed once the version itself is.
func (s *Service) checkReferences(ctx context.Context, r store.Reader, root string, refs []Reference, final bool) error {
	for _, ref := range refs {
		v, doc, err := s.referenced(ctx, r, root, ref, final)
		if err == nil && final {
			err = s.checkReferences(ctx, r, root, needs(v, doc), true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// referenced gives a version that another one needs.
func (s *Service) referenced(ctx context.Context, r store.Reader, root string, ref Reference, final bool) (*Version, Document, error) {
	v, err := Versions.Get(ctx, r, root, VersionID(ref.ID, ref.Version))
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && v.Kind != ref.Kind:
		return nil, nil, noReference(ref)
	case err != nil:
		return nil, nil, err
	case final && !v.Committed:
		return nil, nil, fault.Field("template_references", "Version %d of referenced template '%s' is not committed.", ref.Version, ref.ID)
	}
	doc, err := s.document(v)
	return v, doc, err
}

// Template gives the head of a template of a kind.
func (s *Service) Template(ctx context.Context, kind, templateID string) (*Template, error) {
	t, err := Templates.Get(ctx, s.db.Direct(), "", templateID)
	if errors.Is(err, fault.NotFound) || err == nil && t.Kind() != kind {
		return nil, NoTemplate(templateID)
	}
	return t, err
}

// Version gives one version; number 0 is the latest there is.
func (s *Service) Version(ctx context.Context, t *Template, number int) (*Version, error) {
	at := number
	if at == 0 {
		at = t.Latest
	}
	v, err := Versions.Get(ctx, s.db.Direct(), t.Account, VersionID(t.ID, at))
	if !errors.Is(err, fault.NotFound) {
		return v, err
	}
	if number == 0 { // the latest was deleted
		all, err := s.ListVersions(ctx, t)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			return slices.MaxFunc(all, func(a, b *Version) int { return a.Number - b.Number }), nil
		}
	}
	return nil, NoVersion(t.ID, strconv.Itoa(number))
}

// List gives the templates of a kind in a root account, oldest first.
func (s *Service) List(ctx context.Context, kind, root string) ([]*Template, error) {
	return Templates.List(ctx, s.db.Direct(), store.Query{Account: root, Parent: kind})
}

// ListVersions gives the versions of a template, oldest first.
func (s *Service) ListVersions(ctx context.Context, t *Template) ([]*Version, error) {
	return Versions.List(ctx, s.db.Direct(), store.Query{Account: t.Account, Parent: t.ID})
}

// Counts tells how many templates of its kind there are beside a template, and
// how many versions it has.
func (s *Service) Counts(ctx context.Context, t *Template) (n Limits, err error) {
	if n.Templates, err = Templates.Count(ctx, s.db.Direct(), store.Query{Account: t.Account, Parent: t.Kind()}); err == nil {
		n.Versions, err = Versions.Count(ctx, s.db.Direct(), store.Query{Account: t.Account, Parent: t.ID})
	}
	return n, err
}

// AddVersion makes the next version of a template. A name renames the template.
// What it refers to who asks must be allowed to read.
func (s *Service) AddVersion(ctx context.Context, who asker.Asker, found *Template, c Checked) (t *Template, v *Version, err error) {
	rights, err := who.Rights(ctx, found.Account)
	if err != nil {
		return nil, nil, err
	}
	t, err = Templates.Edit(ctx, s.db, found, func(tx store.Tx, t *Template) (ev store.Event, err error) {
		n, err := Versions.Count(ctx, tx, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil {
			return ev, err
		}
		if n >= s.limits.Versions {
			return ev, &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: fmt.Sprintf("The template has %d versions, its limit.", n)}
		}
		t.Latest++
		rename(t, c)
		v, err = s.createVersion(ctx, tx, rights, t, c)
		return s.event(c.kind, "update", t, "versions"), err
	})
	return t, v, err
}

func rename(t *Template, c Checked) bool {
	name := c.draft.Name
	if name == nil || *name == t.Name {
		return false
	}
	t.Name = *name
	return true
}

// UpdateVersion changes a version that is not committed, after the precondition
// (none when ifMatch is ""). t is its template, which a name renames. What it
// refers to then who asks must be allowed to read, new or not.
func (s *Service) UpdateVersion(ctx context.Context, who asker.Asker, t *Template, found *Version, ifMatch string, c Checked) (*Template,
	*Version, error) {
	if err := meets(found, ifMatch); err != nil {
		return nil, nil, err
	}
	if found.Committed {
		return nil, nil, &fault.Error{Kind: fault.State, Code: "invalid_state", Number: "BXNIM0908E", Message: "Template in committed state.",
			Details: fmt.Sprintf("Version %d of template '%s' is committed and cannot be changed.", found.Number, t.ID)}
	}
	rights, err := who.Rights(ctx, found.Account)
	if err != nil {
		return nil, nil, err
	}
	head := *t
	v, err := Versions.Edit(ctx, s.db, found, func(tx store.Tx, v *Version) (ev store.Event, err error) {
		v.Payload, v.Committed = c.draft.Payload, c.draft.Committed
		if c.draft.References != nil {
			v.References = c.draft.References
		}
		if c.draft.Description != nil {
			v.Description = *c.draft.Description
		}
		if err := s.mayRefer(rights, v.Account, needs(v, c.doc)); err != nil {
			return ev, err
		}
		if err := s.checkReferences(ctx, tx, v.Account, needs(v, c.doc), v.Committed); err != nil {
			return ev, err
		}
		head = *t
		if rename(&head, c) {
			if err := Templates.Update(ctx, tx, &head, s.event(c.kind, "update", &head, "name")); err != nil {
				return ev, err
			}
		}
		return s.event(c.kind, "update", &head, "version"), nil
	})
	return &head, v, err
}

func meets(v *Version, ifMatch string) error {
	if ifMatch == "" {
		return nil
	}
	return v.Match(ifMatch)
}

// Commit makes a version of a template final, after the precondition (none when
// ifMatch is ""). Committing a committed one changes nothing.
func (s *Service) Commit(ctx context.Context, t *Template, found *Version, ifMatch string) error {
	if err := meets(found, ifMatch); err != nil || found.Committed {
		return err
	}
	doc, err := s.document(found)
	if err != nil {
		return err
	}
	if err := doc.Check(true); err != nil {
		return err
	}
	_, err = Versions.Edit(ctx, s.db, found, func(tx store.Tx, v *Version) (store.Event, error) {
		v.Committed = true
		return s.event(s.kind(v.Kind), "update", t, "committed"), s.checkReferences(ctx, tx, v.Account, needs(v, doc), true)
	})
	return err
}

// DeleteVersion deletes a version that is not assigned; the last one takes its
// template t with it.
func (s *Service) DeleteVersion(ctx context.Context, t *Template, v *Version) error {
	k := s.kind(v.Kind)
	return Versions.Remove(ctx, s.db, v, func(tx store.Tx) (store.Event, error) {
		ev := s.event(k, "delete", t, "version")
		if err := s.notAssigned(ctx, tx, t, v.Number); err != nil {
			return ev, err
		}
		n, err := Versions.Count(ctx, tx, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil || n > 1 {
			return ev, err
		}
		return ev, Templates.Delete(ctx, tx, t, s.event(k, "delete", t))
	})
}

// Delete deletes a template with all its versions when none is assigned.
func (s *Service) Delete(ctx context.Context, t *Template) error {
	k := s.kind(t.Kind())
	return Templates.Remove(ctx, s.db, t, func(tx store.Tx) (store.Event, error) {
		ev := s.event(k, "delete", t)
		if err := s.notAssigned(ctx, tx, t, 0); err != nil {
			return ev, err
		}
		versions, err := Versions.List(ctx, tx, store.Query{Account: t.Account, Parent: t.ID})
		if err != nil {
			return ev, err
		}
		for _, v := range versions {
			if err := Versions.Delete(ctx, tx, v, store.Event{Action: k.Action + ".delete", Name: t.Name}); err != nil {
				return ev, err
			}
		}
		return ev, nil
	})
}

// notAssigned refuses to delete what an assignment uses, directly or through
// the templates that the assigned version refers to. Number 0 stands for every
// version. What an account still holds of it counts, whatever its assignment
// wishes for by now.
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
	held, err := Helds.List(ctx, tx, store.Query{Parent: t.Account})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(held, func(h *Held) bool { return h.of(t.ID, number) }); i >= 0 {
		return &fault.Error{Kind: fault.Conflict, Code: "template_in_use", Message: "The template is in use. Wait until no account holds it.",
			Details: "Template '" + t.ID + "', account '" + held[i].Account + "'."}
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
	doc, err := s.document(v)
	if err != nil {
		return false, err
	}
	for _, next := range needs(v, doc) {
		if used, err := s.draws(ctx, r, t, number, next); used || err != nil {
			return used, err
		}
	}
	return false, nil
}
