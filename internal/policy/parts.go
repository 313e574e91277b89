package policy

import (
	"iter"
	"slices"
	"time"
)

// A request that names no service is about many. One policy may cover them all,
// which is seen at once; else the services are gone through one by one, since
// several policies together may cover what none of them covers alone. So a scope
// is refused as a whole only if it is refused for some part of it.

// Parts gives the parts of a resource by service: what covers each of them covers
// it. Of a service they are the service and what lies within it; of a resource
// that names none, every service of the catalogue that its type, its group and the
// patterns of its scope admit, services that a list names though nobody defines
// them, and one for all others of whom the catalogue knows nothing. The parts of
// an unlisted one are itself.
func (c *Catalog) Parts(scope Resource) []Resource {
	return slices.Collect(c.parts(&scope))
}

func (c *Catalog) parts(scope *Resource) iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		if scope.Unlisted {
			yield(*scope)
			return
		}
		conds := serviceConds(scope)
		part := *scope
		part.ServiceType, part.ServiceGroupID = "", ""
		others := part
		others.ServiceName, others.Unlisted = "", true
		part.Scope = slices.DeleteFunc(slices.Clone(scope.Scope), func(a Attribute) bool { return ofService(a.Key) })
		others.Scope = slices.DeleteFunc(slices.Clone(scope.Scope), func(a Attribute) bool {
			return ofService(a.Key) && a.Key != AttrServiceName // of which a pattern tells them from others
		})
		// They come first: who holds services by name only lacks them.
		if unlisted(conds) && !yield(others) {
			return
		}
		for _, name := range c.strangers(scope, conds) {
			if part.ServiceName = name; !yield(part) {
				return
			}
		}
		for _, name := range c.names {
			part.ServiceName = name
			if (name == scope.ServiceName || c.services[name].fits(conds)) && !yield(part) {
				return
			}
		}
	}
}

// ofService reports whether an attribute follows from the service.
func ofService(key string) bool {
	return key == AttrServiceName || key == AttrServiceType || key == AttrServiceGroupID
}

// serviceConds are the conditions of a resource on its services.
func serviceConds(r *Resource) []cond {
	var out []cond
	equal := func(key attrKey, value string) {
		if value != "" {
			out = append(out, cond{key: key, test: testEquals, text: value})
		}
	}
	equal(keyServiceName, r.ServiceName)
	equal(keyServiceType, r.ServiceType)
	equal(keyServiceGroup, r.ServiceGroupID)
	for _, a := range r.Scope {
		if ofService(a.Key) {
			out = append(out, compileAttribute(resourceKeys[a.Key], a))
		}
	}
	return out
}

// fits reports whether a service satisfies conditions on services.
func (v *service) fits(conds []cond) bool {
	return !slices.ContainsFunc(conds, func(c cond) bool {
		switch c.key {
		case keyServiceName:
			return !c.holdsAny(v.names)
		case keyServiceType:
			return !c.holds(v.serviceType, true)
		default:
			return !c.holds(v.group, v.group != "")
		}
	})
}

// unlisted reports whether services that the catalogue does not know may satisfy
// conditions on services, beside those that the conditions list.
func unlisted(conds []cond) bool {
	stranger := service{serviceType: ServiceTypeService}
	return !slices.ContainsFunc(conds, func(c cond) bool {
		if c.key == keyServiceName {
			return c.test != testMatch && c.test != testPresent
		}
		return !stranger.fits([]cond{c})
	})
}

// strangers are the services that a resource names, alone or in lists, and the
// catalogue does not know.
func (c *Catalog) strangers(r *Resource, conds []cond) []string {
	names := []string{r.ServiceName}
	for _, x := range conds {
		if x.key == keyServiceName && x.test == testAnyOf {
			names = append(names, x.more.texts...)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		v := service{names: []string{name}, serviceType: ServiceTypeService}
		return name == "" || c.services[name] != nil || name != r.ServiceName && !v.fits(conds)
	})
}

// permitParts looks for something that allows each part of a request that nothing
// allows as a whole; whole is that answer. Services where nobody can do the action
// ask for nothing.
func permitParts(s *Snapshot, r *Request, whole Decision) Decision {
	var d Decision
	until, perRequest := whole.Until, whole.PerRequest
	var many query
	many.resolve(s, r)
	for q := range many.parts() {
		if !q.act(r.Action) {
			continue
		}
		one := q.permit()
		if !one.Allowed {
			return Decision{Reason: ReasonNoPolicy, Until: earlier(until, one.Until), PerRequest: perRequest || one.PerRequest}
		}
		one.Until, one.PerRequest = earlier(d.Until, one.Until), d.PerRequest || one.PerRequest
		if d.PolicyID != "" {
			one.Reason, one.PolicyID, one.RoleID, one.GroupID = d.Reason, d.PolicyID, d.RoleID, d.GroupID
		}
		d = one
	}
	if !d.Allowed {
		return whole
	}
	return d
}

// parts gives the queries about the parts of a resource that is about many
// services, none for another. Their actions are not set.
func (q *query) parts() iter.Seq[*query] {
	base, request := *q, *q.r
	return func(yield func(*query) bool) {
		if !base.target.many() {
			return
		}
		for part := range base.s.catalog.parts(&base.r.Resource) {
			q := base
			request.Resource = part
			q.r, q.target, q.until, q.perRequest = &request, target{}, time.Time{}, false
			q.target.fill(q.s.catalog, &request.Resource)
			if !yield(&q) {
				return
			}
		}
	}
}

// byPart adds, for a resource about many services, the actions that are allowed on
// each of them that knows them; on lists those of one, in its view.
func (q *query) byPart(to actionBits, on func(part *query) actionBits) {
	if !q.target.many() {
		return
	}
	names := q.target.view.actionNames
	known, lacking := newActionBits(len(names)), slices.Clone(to)
	for part := range q.parts() {
		held := on(part)
		for i, action := range names {
			j, ok := part.target.view.index[action]
			if !ok || lacking.has(i) {
				continue
			}
			if known.add(i); !held.has(j) {
				lacking.add(i)
			}
		}
		if lacking.full(len(names)) {
			return
		}
	}
	known.removeAll(lacking)
	to.addAll(known)
}

// controlOfPart finds a control of an action on one of the services that a resource
// about many is about.
func controlOfPart(c *Catalog, r *Resource, action string, controls []ActionControl) *ActionControl {
	conds := serviceConds(r)
	for i := range controls {
		name := controls[i].Service
		stranger := service{names: []string{name}, serviceType: ServiceTypeService}
		if c.services[name] == nil && stranger.fits(conds) {
			return &controls[i]
		}
		for _, n := range c.names {
			v := c.services[n]
			if _, known := v.index[action]; known && slices.Contains(v.names, name) && v.fits(conds) {
				return &controls[i]
			}
		}
	}
	return nil
}
