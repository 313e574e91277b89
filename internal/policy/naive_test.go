package policy_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/policy"
)

// naive answers a request by reading every document from the first to the last
// and following the rules as they are written, without an index, a compiled
// form or any code of the engine. It is the engine's twin: slow, plain, and
// allowed to share nothing but the types.
type naive struct {
	in       policy.Input
	services []policy.Service
	r        policy.Request
}

func naiveDecide(in policy.Input, services []policy.Service, r policy.Request) policy.Reason {
	n := naive{in, services, r}
	if r.Resource.Account != in.Account || in.Account == "" {
		return policy.ReasonOtherAccount
	}
	if in.State != policy.AccountActive {
		return policy.ReasonAccountState
	}
	if !slices.Contains(n.knownActions(), r.Action) {
		return policy.ReasonUnknownAction
	}
	reason := n.grant()
	if reason == policy.ReasonNoPolicy {
		reason = n.grantParts()
	}
	if reason == policy.ReasonNoPolicy {
		return reason
	}
	for _, c := range in.Controls {
		if slices.Contains(c.Actions, r.Action) && n.controlled(c) {
			return policy.ReasonActionControl
		}
	}
	if n.shutOut() {
		return policy.ReasonExternalIdentity
	}
	if unmet := n.unmet(); unmet != 0 {
		return unmet
	}
	return reason
}

// unmet reads the demands one by one.
func (n *naive) unmet() policy.Reason {
	sub, from := n.r.Subject, n.r.Environment.SourceIP
	person := sub.Kind == policy.KindUser
	if person && sub.Account == "" {
		return policy.ReasonUnbound
	}
	if !person && sub.Kind != policy.KindServiceID && sub.Kind != policy.KindProfile {
		return 0
	}
	if sub.Addresses != nil && from.IsValid() && !sub.Addresses.Allows(from) {
		return policy.ReasonAddress
	}
	d := n.in.Demands
	if d == nil {
		return 0
	}
	home := sub.Account == n.in.Account
	if d.Addresses != nil && from.IsValid() && !d.Addresses.Allows(from) && !(home && !d.OwnToo) {
		return policy.ReasonAddress
	}
	if home || !strings.HasPrefix(sub.Login.IAMID, "IBMid-") {
		return 0
	}
	if factor, more := d.Asks(sub.Login.IAMID); factor || more && sub.Login.Password {
		return policy.ReasonFactor
	}
	return 0
}

// memberMay tells whether being a member of the account is enough.
func (n *naive) memberMay() bool {
	sub := n.r.Subject
	switch {
	case sub.Kind == policy.KindService || sub.Kind == policy.KindAnonymous || sub.IAMID == "":
		return false
	case sub.Kind == policy.KindUser && sub.IAMID == n.in.Owner: // a member with any token
	case sub.Belongs == policy.BelongsNot, sub.Belongs == policy.BelongsByToken && sub.Account != n.in.Account:
		return false
	}
	return !slices.Contains(n.in.Restricted, n.r.Action) &&
		slices.ContainsFunc(n.chain(), func(s policy.Service) bool { return slices.Contains(s.MemberActions, n.r.Action) })
}

// chain is the service of the resource with its parents; for a service that
// nobody defined, the definition that stands for all services.
func (n *naive) chain() []policy.Service {
	var out []policy.Service
	name := n.r.Resource.ServiceName
	for name != "" {
		i := slices.IndexFunc(n.services, func(s policy.Service) bool { return s.Name == name })
		if i < 0 {
			break
		}
		out = append(out, n.services[i])
		name = n.services[i].Parent
	}
	if len(out) == 0 {
		for _, s := range n.services {
			if s.Name == policy.AllServices {
				out = append(out, s)
			}
		}
	}
	return out
}

func (n *naive) defined() bool {
	return slices.ContainsFunc(n.services, func(s policy.Service) bool { return s.Name == n.r.Resource.ServiceName })
}

// serviceNames are the names under which policies may speak of the resource.
func (n *naive) serviceNames() []string {
	if n.r.Resource.ServiceName == "" {
		return nil
	}
	if !n.defined() {
		return []string{n.r.Resource.ServiceName}
	}
	var out []string
	for _, s := range n.chain() {
		out = append(out, s.Name)
	}
	return out
}

func (n *naive) knownActions() []string {
	var out []string
	for _, s := range n.chain() {
		for _, a := range s.Actions {
			out = append(out, a.ID)
		}
		out = append(out, s.SelfActions...)
		out = append(out, s.MemberActions...)
		for _, r := range s.Roles {
			out = append(out, r.Actions...)
		}
	}
	return out
}

func plainCRN(crn string) string {
	return strings.Replace(crn, "crn:v1:ibmcloud:", "crn:v1:bluemix:", 1)
}

// roleHolds reports whether a role, named by CRN, holds the action here.
func (n *naive) roleHolds(crn, action string) bool {
	exact := false
	for _, s := range n.chain() {
		for _, r := range s.Roles {
			if plainCRN(r.CRN) == plainCRN(crn) {
				exact = true
				if slices.Contains(r.Actions, action) {
					return true
				}
			}
		}
	}
	if !exact && n.aliasHolds(crn, action) {
		return true
	}
	for _, c := range n.in.CustomRoles {
		if plainCRN(c.CRN) == plainCRN(crn) && slices.Contains(n.serviceNames(), c.Service) && slices.Contains(c.Actions, action) {
			return true
		}
	}
	return false
}

// aliasHolds reads a service's own role under the common CRN of that name, or
// a common role under a CRN of the service.
func (n *naive) aliasHolds(crn, action string) bool {
	const common = "crn:v1:bluemix:public:iam::::serviceRole:"
	for _, s := range n.chain() {
		for _, r := range s.Roles {
			if r.Kind != policy.RoleService {
				continue
			}
			own := plainCRN(r.CRN)
			name := own[strings.LastIndex(own, ":")+1:]
			alias := common + name
			if strings.HasPrefix(own, common) {
				alias = "crn:v1:bluemix:public:" + n.chain()[0].Name + "::::serviceRole:" + name
			}
			if alias == plainCRN(crn) && slices.Contains(r.Actions, action) {
				return true
			}
		}
	}
	return false
}

func (n *naive) grant() policy.Reason {
	if n.ownerMay() {
		return policy.ReasonOwner
	}
	if res := n.r.Resource; (n.hasID(res.Owner) || n.hasID(res.Creator)) && n.r.Subject.IAMID != "" && n.r.Subject.Account == n.in.Account {
		for _, s := range n.chain() {
			if slices.Contains(s.SelfActions, n.r.Action) {
				return policy.ReasonSelf
			}
		}
	}
	if n.memberMay() {
		return policy.ReasonMember
	}
	for _, p := range n.in.Policies {
		if p.State == policy.StateActive && n.isFor(p) && n.isAbout(p) && n.gives(p) && (p.Rule == nil || n.ruleHolds(*p.Rule)) {
			return policy.ReasonPolicy
		}
	}
	return policy.ReasonNoPolicy
}

func (n *naive) ownerMay() bool {
	sub := n.r.Subject
	if sub.Kind != policy.KindUser || sub.IAMID == "" || sub.IAMID != n.in.Owner {
		return false
	}
	heldApart := false
	for _, s := range n.chain() {
		for _, r := range s.Roles {
			if slices.Contains(r.Actions, n.r.Action) {
				if !r.Apart {
					return true
				}
				heldApart = true
			}
		}
	}
	return !heldApart
}

func (n *naive) gives(p *policy.Policy) bool {
	return slices.ContainsFunc(p.RoleIDs, func(crn string) bool { return n.roleHolds(crn, n.r.Action) })
}

// isFor reports whether a policy's subject is, or contains, who asks.
func (n *naive) isFor(p *policy.Policy) bool {
	switch p.Type {
	case policy.TypeAuthorization:
		if n.r.Subject.Kind != policy.KindService || len(p.Subject) == 0 {
			return false
		}
		src := n.r.Subject.Source
		have := map[string][]string{
			"serviceName": {src.ServiceName}, "serviceInstance": {src.ServiceInstance}, "region": {src.Region},
			"resourceType": {src.ResourceType}, "resource": {src.Resource}, "accountId": {src.AccountID},
			"resourceGroupId": {src.ResourceGroupID}, "enterpriseId": {src.EnterpriseID}, "AccountGroupId": src.AccountGroupIDs,
		}
		for _, a := range p.Subject {
			values, ok := have[a.Key]
			if !ok || !policyAttributeHolds(a, slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })) {
				return false
			}
		}
		return true
	case policy.TypeAccess:
		if len(p.Subject) != 1 {
			return false
		}
		a := p.Subject[0]
		if a.Operator != "" && a.Operator != policy.OpStringEquals || a.Value.Kind == policy.KindList || a.Value.Text == "" {
			return false
		}
		return a.Key == "iam_id" && n.hasID(a.Value.Text) || a.Key == "access_group_id" && n.inGroup(a.Value.Text)
	}
	return false
}

func (n *naive) hasID(id string) bool {
	k := n.r.Subject.Kind
	return (k == policy.KindUser || k == policy.KindServiceID || k == policy.KindProfile) && n.r.Subject.IAMID == id
}

func (n *naive) inGroup(id string) bool {
	if id == policy.PublicAccessGroupID {
		return n.in.PublicAccess
	}
	for _, g := range n.in.Groups {
		if g.ID != id {
			continue
		}
		if slices.ContainsFunc(g.Members, n.hasID) || slices.ContainsFunc(g.Rules, n.admits) {
			return true
		}
	}
	return false
}

func (n *naive) admits(r policy.DynamicRule) bool {
	sub := n.r.Subject
	if sub.Kind != policy.KindUser || sub.Account != n.in.Account || sub.Realm == "" || sub.Realm != r.Realm ||
		len(r.Conditions) == 0 || sub.LoginAt.IsZero() || r.Expiration <= 0 ||
		!n.r.Environment.Now.Before(sub.LoginAt.Add(r.Expiration)) {
		return false
	}
	for _, c := range r.Conditions {
		test, err := policy.CompileClaim(c)
		if err != nil || !test.Match(sub.Claims) {
			return false
		}
	}
	return true
}

// isAbout reports whether the resource is one of those that a policy names.
func (n *naive) isAbout(p *policy.Policy) bool {
	account := false
	for _, a := range p.Resource {
		if a.Key == "accountId" {
			if a.Operator != "" && a.Operator != policy.OpStringEquals || a.Value.Kind == policy.KindList || a.Value.Text != n.in.Account {
				return false
			}
			account = true
		}
		if n.open(a) || !policyAttributeHolds(a, n.resourceValues(a.Key)) {
			return false
		}
	}
	for _, t := range p.Tags {
		if !slices.ContainsFunc(n.r.Resource.Tags, func(tag string) bool { return tagFits(t, tag) }) {
			return false
		}
	}
	return account
}

func tagFits(t policy.Attribute, tag string) bool {
	if t.Value.Kind == policy.KindList || t.Value.Kind == policy.KindNone {
		return false
	}
	switch t.Operator {
	case "", policy.OpStringEquals:
		return tag == t.Key+":"+t.Value.Text || t.Value.Text == "*" && strings.HasPrefix(tag, t.Key+":")
	case policy.OpStringMatch:
		return strings.HasPrefix(tag, t.Key+":") && wildcardExpression(t.Value.Text).MatchString(strings.TrimPrefix(tag, t.Key+":"))
	}
	return false
}

// resourceValues gives the values of an attribute of the resource; none when
// it is missing.
func (n *naive) resourceValues(key string) []string {
	res := n.r.Resource
	one := ""
	switch key {
	case "accountId":
		one = res.Account
	case "serviceName":
		return n.serviceNames()
	case "serviceType":
		one = res.ServiceType
		if res.ServiceName != "" {
			one = "service"
			if n.defined() && slices.ContainsFunc(n.chain(), func(s policy.Service) bool { return s.Platform }) {
				one = "platform_service"
			}
		}
	case "service_group_id":
		one = res.ServiceGroupID
		if res.ServiceName != "" {
			one = ""
			for _, s := range slices.Backward(n.chain()) {
				if n.defined() && s.Group != "" {
					one = s.Group
				}
			}
		}
	case "region":
		one = res.Region
	case "serviceInstance":
		one = res.ServiceInstance
	case "resourceType":
		one = res.ResourceType
	case "resource":
		one = res.Resource
	case "resourceGroupId":
		if res.ResourceType != "resource-group" {
			one = res.ResourceGroupID
		}
	default:
		for _, a := range res.Attributes {
			if a.Name == key {
				return []string{a.Value}
			}
		}
	}
	if one == "" {
		return nil
	}
	return []string{one}
}

// policyAttributeHolds compares an attribute of a subject or resource that has
// these values: a star that stands alone is every value there is.
func policyAttributeHolds(a policy.Attribute, values []string) bool {
	list := a.Operator == policy.OpStringEqualsAnyOf
	if (list || a.Operator == "" || a.Operator == policy.OpStringEquals) && (list || a.Value.Kind != policy.KindList) &&
		slices.Contains(a.Value.Strings(), "*") {
		return len(values) > 0
	}
	return attributeHolds(a, values)
}

// attributeHolds compares an attribute that has these values.
func attributeHolds(a policy.Attribute, values []string) bool {
	scalar := a.Value.Kind != policy.KindList && a.Value.Kind != policy.KindNone
	anyValue := func(test func(string) bool) bool { return slices.ContainsFunc(values, test) }
	switch a.Operator {
	case "", policy.OpStringEquals:
		return scalar && anyValue(func(v string) bool { return v == a.Value.Text })
	case policy.OpStringMatch:
		return scalar && anyValue(wildcardExpression(a.Value.Text).MatchString)
	case policy.OpStringEqualsAnyOf:
		return anyValue(func(v string) bool { return slices.Contains(a.Value.Strings(), v) })
	case policy.OpStringMatchAnyOf:
		return slices.ContainsFunc(a.Value.Strings(), func(p string) bool { return anyValue(wildcardExpression(p).MatchString) })
	case policy.OpStringExists:
		switch strings.ToLower(a.Value.Text) {
		case "true":
			return scalar && len(values) > 0
		case "false":
			return scalar && len(values) == 0
		}
	}
	return false
}

// wildcardExpression writes a pattern as a regular expression.
func wildcardExpression(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for len(pattern) > 0 {
		switch {
		case strings.HasPrefix(pattern, "{{*}}"):
			b.WriteString(`\*`)
			pattern = pattern[5:]
		case strings.HasPrefix(pattern, "{{?}}"):
			b.WriteString(`\?`)
			pattern = pattern[5:]
		case pattern[0] == '*':
			b.WriteString(`.*`)
			pattern = pattern[1:]
		case pattern[0] == '?':
			b.WriteString(`.`)
			pattern = pattern[1:]
		default:
			_, size := utf8.DecodeRuneInString(pattern)
			b.WriteString(regexp.QuoteMeta(pattern[:size]))
			pattern = pattern[size:]
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

func (n *naive) ruleHolds(r policy.Rule) bool {
	switch {
	case r.Operator == policy.OpAnd:
		for _, c := range r.Conditions {
			if !n.ruleHolds(c) {
				return false
			}
		}
		return len(r.Conditions) > 0
	case r.Operator == policy.OpOr:
		return slices.ContainsFunc(r.Conditions, n.ruleHolds)
	case r.Conditions != nil:
		return false
	}
	key, ok := strings.CutPrefix(r.Key, "{{")
	key, closed := strings.CutSuffix(key, "}}")
	if !ok || !closed {
		return false
	}
	switch key {
	case "environment.attributes.day_of_week", "environment.attributes.current_time",
		"environment.attributes.current_date", "environment.attributes.current_date_time":
		return n.clockHolds(strings.TrimPrefix(key, "environment.attributes."), r)
	}
	a := policy.Attribute{Operator: r.Operator, Value: r.Value}
	if name, ok := strings.CutPrefix(key, "resource.attributes."); ok && name != "" {
		return !n.open(a) && attributeHolds(a, n.resourceValues(name))
	}
	name, ok := strings.CutPrefix(key, "environment.attributes.")
	if !ok || name == "" {
		return false
	}
	for _, e := range n.r.Environment.Attributes {
		if e.Name == name {
			return attributeHolds(a, []string{e.Value})
		}
	}
	if name == "ipAddress" && n.r.Environment.SourceIP.IsValid() {
		return attributeHolds(a, []string{n.r.Environment.SourceIP.Unmap().String()})
	}
	return attributeHolds(a, nil)
}

// clockHolds compares times with package time, in a zone made from the offset.
func (n *naive) clockHolds(key string, r policy.Rule) bool {
	if key == "day_of_week" {
		if r.Operator != policy.OpDayOfWeekAnyOf && (r.Operator != policy.OpDayOfWeekEquals || r.Value.Kind == policy.KindList) {
			return false
		}
		today := func(v string) bool {
			now := n.r.Environment.Now.In(zoneAtEnd(v[1:]))
			day := int(now.Weekday())
			if day == 0 {
				day = 7
			}
			return strconv.Itoa(day) == v[:1]
		}
		values := r.Value.Strings()
		for _, v := range values {
			if _, err := policy.ParseWeekday(v); err != nil {
				return false
			}
		}
		return slices.ContainsFunc(values, today)
	}
	layout, kinds := map[string]string{
		"current_time": "15:04:05", "current_date": "2006-01-02", "current_date_time": "2006-01-02T15:04:05",
	}[key], map[string]string{
		"current_time": "time dateTime", "current_date": "date", "current_date_time": "dateTime",
	}[key]
	v := r.Value.Text
	if r.Value.Kind == policy.KindList || len(v) < 6 || len(v) != len(layout)+6 {
		return false
	}
	zone := zoneAtEnd(v)
	if zone == nil {
		return false
	}
	want, err := time.ParseInLocation(layout, v[:len(v)-6], zone)
	if err != nil {
		return false
	}
	// Text in these layouts sorts like the time it stands for.
	now, then := n.r.Environment.Now.In(zone).Format(layout), want.Format(layout)
	for kind := range strings.FieldsSeq(kinds) {
		switch string(r.Operator) {
		case kind + "LessThan":
			return now < then
		case kind + "LessThanOrEquals":
			return now <= then
		case kind + "GreaterThan":
			return now > then
		case kind + "GreaterThanOrEquals":
			return now >= then
		}
	}
	return false
}

// zoneAtEnd makes a zone from the ±hh:mm at the end of a value; UTC for none.
func zoneAtEnd(v string) *time.Location {
	if v == "" {
		return time.UTC
	}
	offset, err := policy.ParseOffset(v[len(v)-6:])
	if err != nil {
		return nil
	}
	return time.FixedZone("", offset)
}

// shutOut reports whether the account keeps out the identity because its token
// belongs elsewhere.
func (n *naive) shutOut() bool {
	set := map[policy.SubjectKind]policy.ExternalSetting{
		policy.KindUser: n.in.External.User, policy.KindServiceID: n.in.External.ServiceID, policy.KindService: n.in.External.Service,
	}[n.r.Subject.Kind]
	return set.Mode == policy.ExternalLimited && n.r.Subject.Account != n.in.Account &&
		!slices.Contains(set.Allowed, n.r.Subject.Account)
}
