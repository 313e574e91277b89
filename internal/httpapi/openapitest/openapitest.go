// Package openapitest checks OpenAPI documents in tests: the rules of the
// specification that a generator can break. It is no full validator.
package openapitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	wildcard  = regexp.MustCompile(`\{([^{}]*)\}`)
	component = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	methods   = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}
	places    = []string{"path", "query", "header", "cookie"}
	types     = []any{"string", "boolean", "number", "integer", "array", "object", "null"}
)

type checker struct {
	doc    map[string]any
	ids    map[string]string
	faults []string
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// Check gives what is wrong with an OpenAPI 3.1 document, nothing when it is right.
func Check(raw []byte) []string {
	c := &checker{ids: map[string]string{}}
	if err := json.Unmarshal(raw, &c.doc); err != nil {
		return []string{err.Error()}
	}
	if version, _ := c.doc["openapi"].(string); !strings.HasPrefix(version, "3.1.") {
		c.fault("openapi is %q", version)
	}
	info := object(c.doc["info"])
	if info["title"] == nil || info["version"] == nil {
		c.fault("info lacks title or version")
	}
	paths := object(c.doc["paths"])
	shapes := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		shape := wildcard.ReplaceAllString(path, "{}")
		if other := shapes[shape]; other != "" {
			c.fault("paths %s and %s are the same template", path, other)
		}
		shapes[shape] = path
		c.path(path, object(paths[path]))
	}
	for name := range object(object(c.doc["components"])["schemas"]) {
		if !component.MatchString(name) {
			c.fault("component name %q", name)
		}
	}
	c.references("#", c.doc)
	return c.faults
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func (c *checker) path(path string, item map[string]any) {
	if !strings.HasPrefix(path, "/") {
		c.fault("path %q does not begin with a slash", path)
	}
	for method, v := range item {
		if !slices.Contains(methods, method) {
			c.fault("%s has method %q", path, method)
			continue
		}
		c.operation(method+" "+path, path, object(v))
	}
}

func (c *checker) operation(at, path string, op map[string]any) {
	id, _ := op["operationId"].(string)
	if id == "" {
		c.fault("%s has no operationId", at)
	}
	if other := c.ids[id]; other != "" {
		c.fault("%s and %s have one operationId %s", at, other, id)
	}
	c.ids[id] = at
	if len(object(op["responses"])) == 0 {
		c.fault("%s has no responses", at)
	}
	for status, r := range object(op["responses"]) {
		if status != "default" && !regexp.MustCompile(`^[1-5]\d\d$`).MatchString(status) {
			c.fault("%s has response %q", at, status)
		}
		if object(r)["description"] == nil {
			c.fault("%s has a response without description", at)
		}
	}
	seen := map[string]bool{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		name, in := fmt.Sprint(object(p)["name"]), fmt.Sprint(object(p)["in"])
		switch {
		case seen[in+" "+name]:
			c.fault("%s has parameter %s twice", at, name)
		case !slices.Contains(places, in):
			c.fault("%s has parameter %s in %q", at, name, in)
		case object(p)["schema"] == nil:
			c.fault("%s has parameter %s without schema", at, name)
		case in == "path" && object(p)["required"] != true:
			c.fault("%s has path parameter %s that is not required", at, name)
		case in == "path" && !strings.Contains(path, "{"+name+"}"):
			c.fault("%s has path parameter %s that is not in the path", at, name)
		}
		seen[in+" "+name] = true
	}
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		if !seen["path "+m[1]] {
			c.fault("%s does not declare segment %s", at, m[1])
		}
	}
	schemes, _ := op["security"].([]any)
	for _, s := range schemes {
		for scheme := range object(s) {
			if object(object(object(c.doc["components"])["securitySchemes"])[scheme]) == nil {
				c.fault("%s names security scheme %s", at, scheme)
			}
		}
	}
}

// references checks that every $ref leads somewhere and every type is one.
func (c *checker) references(at string, v any) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			c.references(fmt.Sprintf("%s/%d", at, i), item)
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			name, local := strings.CutPrefix(ref, "#/components/schemas/")
			if !local || object(object(c.doc["components"])["schemas"])[name] == nil {
				c.fault("%s refers to %s", at, ref)
			}
		}
		// Below "properties" a key is a name of the API, not a keyword.
		if kind, ok := v["type"].(string); ok && strings.Contains(at, "schema") && !strings.HasSuffix(at, "/properties") &&
			!slices.Contains(types, any(kind)) {
			c.fault("%s has type %q", at, kind)
		}
		for key, item := range v {
			c.references(at+"/"+key, item)
		}
	}
}
