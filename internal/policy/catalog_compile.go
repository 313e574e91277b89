package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Catalog is the compiled catalogue of services. It is immutable and safe for
// concurrent use.
type Catalog struct {
	services map[string]*service
	names    []string
	// fallback is the view of services that are not in the catalogue.
	fallback *service
	// roles interns role CRNs in their canonical form; crns is the reverse.
	roles map[string]roleID
	crns  []string
}

// roleID is an interned role CRN. Ids below len(Catalog.crns) are the
// catalogue's, higher ones belong to a snapshot.
type roleID uint32

// service is the view on one service: its own actions and roles together with
// those of its parents.
type service struct {
	def *Service
	// serviceType and group hold for a child when they hold for its parent.
	serviceType string
	group       string
	// names are the service and its parents, nearest first; hashes are theirs.
	names  []string
	hashes []uint32

	// actions are all actions that can be asked about here, sorted by id;
	// positions in it are the action numbers of this view.
	actions     []Action
	actionNames []string
	index       map[string]int
	// holders lists for each action the roles that hold it; owner marks the
	// actions that the account owner may do without any policy.
	holders [][]roleID
	owner   actionBits
	// self marks what owners and creators may do to their own objects.
	self actionBits
	// member marks what members of an account may do in it.
	member actionBits
	// roles in catalogue order; byRole finds one, aliases included.
	roles  []viewRole
	byRole map[roleID]int
}

type viewRole struct {
	role Role
	bits actionBits
	// names are the actions in bits, sorted.
	names []string
}

// actionBits is a set of action numbers of one view.
type actionBits []uint64

func newActionBits(n int) actionBits { return make(actionBits, (n+63)/64) }

func (b actionBits) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b actionBits) remove(i int)   { b[i/64] &^= 1 << (i % 64) }
func (b actionBits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// full reports whether all n numbers are in the set.
func (b actionBits) full(n int) bool {
	for i := range n {
		if !b.has(i) {
			return false
		}
	}
	return true
}

func (b actionBits) removeAll(c actionBits) {
	for i, w := range c {
		b[i] &^= w
	}
}

func (b actionBits) addAll(c actionBits) {
	for i, w := range c {
		b[i] |= w
	}
}

// Roles that every service has.
const (
	RoleAdministrator = "crn:v1:bluemix:public:iam::::role:Administrator"
	RoleManager       = "crn:v1:bluemix:public:iam::::serviceRole:Manager"
)

// CompileCatalog checks the services and interns their actions and roles. The
// error joins every fault: a service, or an action or role of one service,
// defined twice; a role, self or member action that no service defines; an unknown parent or a
// parent loop; an empty name. A service named AllServices gives the roles for
// services that are not listed; without it they have none.
func CompileCatalog(services []Service) (*Catalog, error) {
	c := &Catalog{services: make(map[string]*service, len(services)), roles: map[string]roleID{}}
	defs := make(map[string]*Service, len(services))
	known := map[string]Action{}
	var faults []error
	for i := range services {
		def := &services[i]
		if def.Name == "" {
			faults = append(faults, fmt.Errorf("service %d has no name", i))
			continue
		}
		if defs[def.Name] != nil {
			faults = append(faults, fmt.Errorf("service %s is defined twice", def.Name))
			continue
		}
		defs[def.Name] = def
		c.names = append(c.names, def.Name)
		faults = append(faults, noteActions(def, known)...)
	}
	for _, name := range c.names {
		chain, err := parentChain(defs, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, checkRoles(defs[name], known)...)
		c.services[name] = c.view(chain, known)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("compiling catalogue: %w", err)
	}
	c.fallback = c.services[AllServices]
	if c.fallback == nil {
		c.fallback = c.view([]*Service{{Name: AllServices}}, known)
	}
	return c, nil
}

// emptyCatalog knows no service.
func emptyCatalog() *Catalog {
	c := &Catalog{roles: map[string]roleID{}}
	c.fallback = c.view([]*Service{{Name: AllServices}}, nil)
	return c
}

// noteActions records the actions that a service defines. Two services may
// define the same action; the first description counts.
func noteActions(def *Service, known map[string]Action) []error {
	var faults []error
	seen := make(map[string]bool, len(def.Actions))
	for _, a := range def.Actions {
		switch {
		case a.ID == "":
			faults = append(faults, fmt.Errorf("service %s has an action without id", def.Name))
			continue
		case seen[a.ID]:
			faults = append(faults, fmt.Errorf("service %s defines action %s twice", def.Name, a.ID))
			continue
		}
		seen[a.ID] = true
		if _, ok := known[a.ID]; !ok {
			known[a.ID] = a
		}
	}
	return faults
}

func checkRoles(def *Service, known map[string]Action) []error {
	var faults []error
	for _, a := range def.SelfActions {
		if _, ok := known[a]; !ok {
			faults = append(faults, fmt.Errorf("service %s lets owners do unknown action %s", def.Name, a))
		}
	}
	for _, a := range def.MemberActions {
		if _, ok := known[a]; !ok {
			faults = append(faults, fmt.Errorf("service %s lets members do unknown action %s", def.Name, a))
		}
	}
	seen := make(map[string]bool, len(def.Roles))
	for _, r := range def.Roles {
		crn := canonicalRole(r.CRN)
		if crn == "" {
			faults = append(faults, fmt.Errorf("service %s has a role without CRN", def.Name))
		}
		if seen[crn] {
			faults = append(faults, fmt.Errorf("service %s defines role %s twice", def.Name, r.CRN))
		}
		seen[crn] = true
		for _, a := range r.Actions {
			if _, ok := known[a]; !ok {
				faults = append(faults, fmt.Errorf("role %s of service %s has unknown action %s", r.CRN, def.Name, a))
			}
		}
	}
	return faults
}

// parentChain lists a service and its parents, nearest first.
func parentChain(defs map[string]*Service, name string) ([]*Service, error) {
	var chain []*Service
	for at := name; at != ""; at = defs[at].Parent {
		if defs[at] == nil {
			return nil, fmt.Errorf("service %s has unknown parent %s", name, at)
		}
		if slices.Contains(chain, defs[at]) {
			return nil, fmt.Errorf("service %s is its own parent", name)
		}
		chain = append(chain, defs[at])
	}
	return chain, nil
}

// view builds the view on the first service of a chain.
func (c *Catalog) view(chain []*Service, known map[string]Action) *service {
	v := &service{def: chain[0], serviceType: ServiceTypeService, byRole: map[roleID]int{}, index: map[string]int{}}
	var ids []string
	for _, def := range chain {
		v.names = append(v.names, def.Name)
		v.hashes = append(v.hashes, hash32(def.Name))
		if def.Platform {
			v.serviceType = ServiceTypePlatform
		}
		if v.group == "" {
			v.group = def.Group
		}
		for _, a := range def.Actions {
			ids = append(ids, a.ID)
		}
		ids = append(ids, def.SelfActions...)
		ids = append(ids, def.MemberActions...)
		for _, r := range def.Roles {
			c.mergeRole(v, r)
			ids = append(ids, r.Actions...)
		}
	}
	slices.Sort(ids)
	for i, id := range slices.Compact(ids) {
		v.actions = append(v.actions, known[id])
		v.actionNames = append(v.actionNames, id)
		v.index[id] = i
	}
	for i := range v.roles {
		v.roles[i].bits = newActionBits(len(v.actions))
		for _, a := range v.roles[i].role.Actions {
			v.roles[i].bits.add(v.index[a])
		}
		v.roles[i].names = slices.Compact(slices.Sorted(slices.Values(v.roles[i].role.Actions)))
	}
	c.addAliases(v)
	v.fillHolders()
	v.fillOwner()
	v.self, v.member = newActionBits(len(v.actions)), newActionBits(len(v.actions))
	for _, def := range chain {
		for _, a := range def.SelfActions {
			v.self.add(v.index[a])
		}
		for _, a := range def.MemberActions {
			v.member.add(v.index[a])
		}
	}
	return v
}

// mergeRole adds a role to the view, or its actions to the role of the same
// CRN that a child brought already.
func (c *Catalog) mergeRole(v *service, r Role) {
	id := c.intern(canonicalRole(r.CRN))
	if i, ok := v.byRole[id]; ok {
		merged := append(slices.Clone(v.roles[i].role.Actions), r.Actions...)
		slices.Sort(merged)
		v.roles[i].role.Actions = slices.Compact(merged)
		return
	}
	v.byRole[id] = len(v.roles)
	v.roles = append(v.roles, viewRole{role: r})
}

// addAliases lets a service's own Reader, Writer or Manager answer to the
// common CRN of that role too, and the reverse: public texts name the roles of
// the registry in both forms.
func (c *Catalog) addAliases(v *service) {
	const common = "crn:v1:bluemix:public:iam::::serviceRole:"
	for i, r := range v.roles {
		if r.role.Kind != RoleService {
			continue
		}
		crn := canonicalRole(r.role.CRN)
		name, isCommon := strings.CutPrefix(crn, common)
		var alias string
		if isCommon {
			alias = "crn:v1:bluemix:public:" + v.def.Name + "::::serviceRole:" + name
		} else {
			alias = common + crn[strings.LastIndexByte(crn, ':')+1:]
		}
		id := c.intern(alias)
		if _, taken := v.byRole[id]; !taken {
			v.byRole[id] = i
		}
	}
}

func (v *service) fillHolders() {
	v.holders = make([][]roleID, len(v.actions))
	for id, i := range v.byRole {
		for a := range v.actions {
			if v.roles[i].bits.has(a) {
				v.holders[a] = append(v.holders[a], id)
			}
		}
	}
	for a := range v.holders {
		slices.Sort(v.holders[a])
	}
}

// fillOwner marks what an account owner may do without a policy: everything but
// what only roles apart hold.
func (v *service) fillOwner() {
	v.owner = newActionBits(len(v.actions))
	for a := range v.actions {
		v.owner.add(a)
	}
	for _, r := range v.roles {
		if r.role.Apart {
			v.owner.removeAll(r.bits)
		}
	}
	for _, r := range v.roles {
		if !r.role.Apart {
			v.owner.addAll(r.bits)
		}
	}
}

func (c *Catalog) intern(crn string) roleID {
	id, ok := c.roles[crn]
	if !ok {
		id = roleID(len(c.crns))
		c.roles[crn] = id
		c.crns = append(c.crns, crn)
	}
	return id
}

// canonicalRole gives the spelling under which a role CRN is compared. Clients
// write the cloud as bluemix or as ibmcloud.
func canonicalRole(crn string) string {
	if rest, ok := strings.CutPrefix(crn, "crn:v1:ibmcloud:"); ok {
		return "crn:v1:bluemix:" + rest
	}
	return crn
}
