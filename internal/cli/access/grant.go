package access

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// grant is what the flags of a verb that writes a policy say. All subjects share
// these flags.
type grant struct {
	file, schema              string
	roles                     []string
	service, instance, region string
	resourceType, resource    string
	groupName, groupID        string
	tags, attributes          []string
	accountManagement         bool
}

func (g *grant) define(f *pflag.FlagSet) {
	f.StringVar(&g.file, "file", "", "JSON `FILE` with the policy, instead of the flags below; - is standard input")
	f.StringSliceVarP(&g.roles, "roles", "r", nil, "`ROLES` to give, separated by commas: names as in kagiban iam roles, or CRNs")
	f.StringVar(&g.service, "service-name", "", "service; without one the roles hold for all IAM-enabled services")
	f.StringVar(&g.instance, "service-instance", "", "GUID of one instance of the service")
	f.StringVar(&g.region, "region", "", "region")
	f.StringVar(&g.resourceType, "resource-type", "", "type of resource")
	f.StringVar(&g.resource, "resource", "", "one resource")
	f.StringVar(&g.groupName, "resource-group-name", "", "name of a resource group; * is any")
	f.StringVar(&g.groupID, "resource-group-id", "", "ID of a resource group; * is any")
	f.StringSliceVar(&g.tags, "tags", nil, "`NAME:VALUE,...` that resources must be tagged with")
	f.BoolVar(&g.accountManagement, "account-management", false, "all account management services")
	f.StringSliceVar(&g.attributes, "attributes", nil, "further `NAME=VALUE,...` of resources; * and ? in values are wildcards")
	schemaFlag(f, &g.schema)
}

// schemaFlag defines --api-version. The default is the official one, because
// scripts read the JSON of that schema.
func schemaFlag(f *pflag.FlagSet, schema *string) {
	f.StringVar(schema, "api-version", "", "schema of the policy: v1 or v2 (default: v1, or that of the policy that is there)")
}

var schemas = map[string][]string{"api-version": {"v1", "v2"}}

func checkSchema(schema string) error {
	switch schema {
	case "", "v1", "v2":
		return nil
	}
	return shell.Usagef("--api-version must be v1 or v2, not %q", schema)
}

// check finds flags that contradict each other, before anything is called.
func (g *grant) check(c *shell.Call) error {
	if err := checkSchema(g.schema); err != nil {
		return err
	}
	if g.file != "" && (len(g.roles) > 0 || g.scoped(c)) {
		return shell.Usagef("--file cannot be combined with flags that describe a policy")
	}
	if g.groupID != "" && g.groupName != "" {
		return shell.Usagef("--resource-group-name and --resource-group-id exclude each other")
	}
	if g.accountManagement && g.service != "" {
		return shell.Usagef("--account-management and --service-name exclude each other")
	}
	return nil
}

// scoped tells whether a flag says what the policy is about.
func (g *grant) scoped(c *shell.Call) bool {
	for _, flag := range []string{"service-name", "service-instance", "region", "resource-type", "resource",
		"resource-group-name", "resource-group-id", "tags", "account-management", "attributes"} {
		if c.Given(flag) {
			return true
		}
	}
	return false
}

// Attributes of resources that this command line knows by name.
const (
	attrAccount      = "accountId"
	attrService      = "serviceName"
	attrServiceType  = "serviceType"
	attrResourceType = "resourceType"
	attrGroup        = "resourceGroupId"
)

const (
	equals = "stringEquals"
	match  = "stringMatch"
)

// attribute compares with a value, as a pattern if it has wildcards.
func attribute(key, value string) client.Attribute {
	operator := equals
	if strings.ContainsAny(value, "*?") {
		operator = match
	}
	return client.Attribute{Key: key, Operator: operator, Value: value}
}

// scope gives the resources that the flags describe.
func (g *grant) scope(ctx context.Context, s *shell.Session) (resource, tags []client.Attribute, err error) {
	resource = []client.Attribute{{Key: attrAccount, Operator: equals, Value: s.Account()}}
	group := g.groupID
	if g.groupName == "*" {
		group = "*"
	} else if g.groupName != "" {
		found, err := resourceGroups.Find(ctx, s, g.groupName)
		if err != nil {
			return nil, nil, err
		}
		group = found.Value.ID
	}
	for _, a := range [][2]string{{attrService, g.service}, {"serviceInstance", g.instance}, {"region", g.region},
		{attrResourceType, g.resourceType}, {"resource", g.resource}, {attrGroup, group}} {
		if a[1] != "" {
			resource = append(resource, attribute(a[0], a[1]))
		}
	}
	for _, pair := range g.attributes {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			return nil, nil, shell.Usagef("--attributes must be NAME=VALUE,..., not %q", pair)
		}
		resource = append(resource, attribute(name, value))
	}
	for _, pair := range g.tags {
		name, value, ok := strings.Cut(pair, ":")
		if !ok || name == "" || value == "" {
			return nil, nil, shell.Usagef("--tags must be NAME:VALUE,..., not %q", pair)
		}
		tags = append(tags, attribute(name, value))
	}
	switch {
	case g.accountManagement:
		resource = append(resource, attribute(attrServiceType, "platform_service"))
	case !names(resource):
		resource = append(resource, attribute(attrServiceType, "service"))
	}
	return resource, tags, nil
}

// names tells whether attributes say which services a policy is about; those
// that do not are about all of them.
func names(resource []client.Attribute) bool {
	for _, a := range resource {
		switch a.Key {
		case attrService, attrServiceType, attrGroup, "service_group_id":
			return true
		case attrResourceType:
			if a.Value == resourceGroupType {
				return true
			}
		}
	}
	return false
}

const resourceGroupType = "resource-group"

type resourceGroup struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

var resourceGroups = object.Kind[resourceGroup]{
	Noun: "resource group", Path: "/v2/resource_groups", Array: "resources", Pages: client.Whole,
	Key: func(g resourceGroup) (string, string) { return g.ID, g.Name },
}

// rolesFor asks for the roles that fit a policy on a resource.
func rolesFor(resource []client.Attribute) url.Values {
	of := "*"
	for _, a := range resource {
		value, _ := a.Value.(string)
		switch {
		case a.Operator != equals:
		case a.Key == attrService:
			return url.Values{"service_name": {value}}
		case a.Key == "service_group_id":
			return url.Values{"service_group_id": {value}}
		case a.Key == attrServiceType:
			of = value
		}
	}
	return url.Values{"service_type": {of}}
}

// offered gives the names of the roles that fit what the flags describe.
func (g *grant) offered(ctx context.Context, _ *shell.Call, s *shell.Session) ([]string, error) {
	resource, _, err := g.scope(ctx, s)
	if err != nil {
		return nil, err
	}
	query := rolesFor(resource)
	query.Set("account_id", s.Account())
	roles, err := readRoles(ctx, s, query)
	var names []string
	for _, r := range client.Values(slices.Concat(roles.Custom, roles.Service, roles.System)) {
		names = append(names, r.DisplayName)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// apply lays what was given over a policy. A new one is about all services
// unless flags say otherwise; an old one keeps what no flag names.
func (g *grant) apply(ctx context.Context, c *shell.Call, s *shell.Session, p *client.Policy, fresh bool) error {
	if fresh || g.scoped(c) {
		var err error
		if p.Resource, p.Tags, err = g.scope(ctx, s); err != nil {
			return err
		}
	}
	if len(g.roles) == 0 {
		return nil
	}
	query := rolesFor(p.Resource)
	query.Set("account_id", s.Account())
	var err error
	p.Roles, err = roleIDs(ctx, s, g.roles, query)
	return err
}

// document reads a policy from a file and gives its schema.
func document(c *shell.Call, file string) (map[string]any, string, error) {
	raw, err := readJSON(c, strings.TrimPrefix(file, "@"))
	if err != nil {
		return nil, "", err
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return nil, "", shell.Problemf("%s does not hold a policy.", file)
	}
	schema := "v1"
	for _, key := range []string{"control", "subject", "resource"} {
		if _, is := body[key]; is {
			schema = "v2"
		}
	}
	return body, schema, nil
}
