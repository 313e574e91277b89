package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Info is what the OpenAPI document says about the server.
type Info struct {
	Title, Version string
	Server         string // URL
}

// The parts of an OpenAPI 3.1 document that are used here.
type (
	document struct {
		OpenAPI    string                        `json:"openapi"`
		Info       documentInfo                  `json:"info"`
		Servers    []documentServer              `json:"servers"`
		Tags       []documentTag                 `json:"tags"`
		Paths      map[string]map[string]pathRow `json:"paths"`
		Components components                    `json:"components"`
	}
	documentInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	documentServer struct {
		URL string `json:"url"`
	}
	documentTag struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	pathRow struct {
		OperationID string                `json:"operationId"`
		Tags        []string              `json:"tags"`
		Summary     string                `json:"summary"`
		Description string                `json:"description"`
		Parameters  []parameter           `json:"parameters,omitempty"`
		RequestBody *requestBody          `json:"requestBody,omitempty"`
		Responses   map[string]response   `json:"responses"`
		Security    []map[string][]string `json:"security"`
		Action      string                `json:"x-kagiban-action,omitempty"`
		Built       bool                  `json:"x-kagiban-built"`
	}
	parameter struct {
		Name     string  `json:"name"`
		In       string  `json:"in"`
		Required bool    `json:"required"`
		Schema   *schema `json:"schema"`
		// Explode false: lists are separated by commas.
		Explode *bool `json:"explode,omitempty"`
	}
	requestBody struct {
		Required bool               `json:"required"`
		Content  map[string]content `json:"content"`
	}
	response struct {
		Description string             `json:"description"`
		Content     map[string]content `json:"content,omitempty"`
	}
	content struct {
		Schema *schema `json:"schema"`
	}
	components struct {
		Schemas  map[string]*schema  `json:"schemas"`
		Security map[string]security `json:"securitySchemes"`
	}
	security struct {
		Type         string `json:"type"`
		Scheme       string `json:"scheme"`
		BearerFormat string `json:"bearerFormat"`
	}
)

const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
	bearer    = "bearer"
)

// OpenAPI describes the table of operations as an OpenAPI 3.1 document in JSON:
// the same table always gives the same bytes.
func OpenAPI(table []Operation, info Info) ([]byte, error) {
	schemas := newSchemas()
	for i := range table { // first, because request types have no required properties
		schemas.markRequest(table[i].In)
	}
	doc := document{
		OpenAPI: "3.1.0",
		Info: documentInfo{info.Title, info.Version, "Generated from the server's table of operations. " +
			"Operations with x-kagiban-built false are known and answer 501."},
		Servers: []documentServer{{info.Server}},
		Paths:   map[string]map[string]pathRow{},
	}
	for i := range table {
		op := &table[i]
		path := documentPath(op.Path)
		if doc.Paths[path] == nil {
			doc.Paths[path] = map[string]pathRow{}
		}
		doc.Paths[path][strings.ToLower(op.Method)] = describe(op, schemas)
		if tag := (documentTag{op.Family.Name, op.Family.Title}); !slices.Contains(doc.Tags, tag) {
			doc.Tags = append(doc.Tags, tag)
		}
	}
	doc.Components = components{
		Schemas:  schemas.byName,
		Security: map[string]security{bearer: {"http", "bearer", "JWT"}},
	}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encoding OpenAPI document: %w", err)
	}
	return append(out, '\n'), nil
}

// documentPath turns a ServeMux pattern into an OpenAPI path template.
func documentPath(pattern string) string {
	return strings.ReplaceAll(strings.TrimSuffix(pattern, "{$}"), "...}", "}")
}

func describe(op *Operation, schemas *schemas) pathRow {
	row := pathRow{
		OperationID: op.Family.Name + "_" + op.ID, Tags: []string{op.Family.Name},
		Summary: strings.ReplaceAll(op.ID, "_", " "), Description: accessText(op),
		Responses: map[string]response{}, Security: []map[string][]string{}, Action: op.Access.Action, Built: op.Built,
	}
	if op.Access.Public == "" {
		row.Security = append(row.Security, map[string][]string{bearer: {}})
	}
	row.Parameters, row.RequestBody = inputs(op, schemas)
	row.Responses[strconv.Itoa(op.Success)] = success(op, schemas)
	if op.Pending {
		row.Responses[strconv.Itoa(http.StatusNoContent)] = response{Description: "Not ready yet."}
	}
	errorType := op.Family.ErrorType
	if errorType == nil {
		errorType = reflect.TypeFor[errorsEnvelope]()
	}
	row.Responses["default"] = response{
		Description: "The request was refused or failed.",
		Content:     map[string]content{mediaJSON: {schemas.of(errorType)}},
	}
	return row
}

func success(op *Operation, schemas *schemas) response {
	r := response{Description: http.StatusText(op.Success), Content: map[string]content{}}
	if op.Out != nil && op.Success != http.StatusNoContent && !isNothing(op.Out) {
		r.Content[mediaJSON] = content{schemas.of(op.Out)}
	}
	if op.OutText != "" {
		r.Content[op.OutText] = content{&schema{Type: "string"}}
	}
	return r
}

// isNothing tells the type of handlers that always answer without a body.
func isNothing(t reflect.Type) bool { return t.Kind() == reflect.Struct && t.NumField() == 0 }

func accessText(op *Operation) string {
	var text string
	switch {
	case op.Access.Action != "":
		text = "Needs the IAM action " + op.Access.Action + " on the resource."
	case op.Access.Self != "":
		text = "Any authenticated caller: " + op.Access.Self + "."
	default:
		text = "No bearer token: " + op.Access.Public + "."
	}
	if !op.Built {
		text += " Not offered by this version: answers 501."
	}
	return text
}

// inputs describes what the binder reads, and the path's segments of rows
// without a request type.
func inputs(op *Operation, schemas *schemas) (params []parameter, body *requestBody) {
	described := map[string]bool{}
	form := &schema{Type: "object", Properties: map[string]*schema{}}
	if op.In != nil {
		for _, f := range reflect.VisibleFields(op.In) {
			if f.Name == "Body" {
				body = &requestBody{Required: true, Content: map[string]content{mediaJSON: {schemas.of(f.Type)}}}
				continue
			}
			if name, ok := f.Tag.Lookup("form"); ok {
				form.Properties[name] = schemas.of(f.Type)
				continue
			}
			for _, in := range []string{"path", "query", "header"} {
				if name, ok := f.Tag.Lookup(in); ok && !(in == "header" && name == "Authorization") {
					params = append(params, boundParameter(in, name, schemas.of(f.Type)))
					described[name] = true
				}
			}
		}
	}
	if len(form.Properties) > 0 {
		body = &requestBody{Required: true, Content: map[string]content{mediaForm: {form}}}
	}
	if op.InText != "" {
		body = &requestBody{Required: true, Content: map[string]content{op.InText: {&schema{Type: "string"}}}}
	}
	for _, name := range segments(op.Path) {
		if !described[name] {
			params = append(params, boundParameter("path", name, &schema{Type: "string"}))
		}
	}
	return params, body
}

func boundParameter(in, name string, s *schema) parameter {
	p := parameter{Name: name, In: in, Required: in == "path", Schema: s}
	if s.Type == "array" && in == "query" {
		p.Explode = new(bool)
	}
	return p
}

// segments gives the names of a path's wildcards.
func segments(path string) []string {
	var names []string
	for part := range strings.SplitSeq(documentPath(path), "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}
