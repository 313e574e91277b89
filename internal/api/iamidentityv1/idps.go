package iamidentityv1

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
)

func (a *API) idpRows() []httpapi.Operation {
	const all, one = "/v1/idps", "/v1/idps/{idp_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "list_idps", "GET", all, 200, act("idp.list"), at[listIdPsIn](a), a.listIdPs),
		httpapi.OldOp(Family, "create_idp", "POST", all, 201, act("idp.create"), at[createIdPIn](a), a.createIdP),
		httpapi.OldOp(Family, "get_idp", "GET", one, 200, act("idp.get"), at[getIdPIn](a), a.getIdP),
		httpapi.OldOp(Family, "update_idp", "PUT", one, 200, act("idp.update"), at[updateIdPIn](a), a.updateIdP),
		httpapi.OldOp(Family, "delete_idp", "DELETE", one, 204, act("idp.delete"), at[idpRef](a), a.deleteIdP),
		httpapi.OldOp(Family, "list_consumer_accounts", "GET", one+"/consumers", 200, act("idp.get"), at[idpRef](a), a.listConsumers),
		httpapi.OldRaw(Family, "export_saml_metadata", "GET", one+"/saml/metadata", 200, act("idp.get"), a.exportMetadata).AnsweringText("text/xml"),
		httpapi.Describing[importQuery, IdP](httpapi.OldRaw(Family, "import_saml_idp_metadata", "PUT", one+"/saml/metadata", 200, act("idp.update"), a.importMetadata)).
			TakingText("text/xml"),
		httpapi.OldOp(Family, "get_idp_test_result", "GET", one+"/test", 200, act("idp.test"), at[idpRef](a), a.getIdPTest),
		httpapi.OldOp(Family, "test_idp", "POST", one+"/test", 200, act("idp.test"), at[idpRef](a), a.testIdP),
	}
}

// ShareScope is an account or enterprise that an identity provider is shared with.
type ShareScope struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// IdP is the answer that shows an identity provider. Its secrets are masked.
type IdP struct {
	IdPID            string          `json:"idp_id"`
	EntityTag        string          `json:"entity_tag"`
	AccountID        string          `json:"account_id"`
	Name             string          `json:"name"`
	Type             string          `json:"type"`
	Properties       map[string]any  `json:"properties"`
	Secrets          map[string]any  `json:"secrets"`
	ShareScope       []ShareScope    `json:"share_scope"`
	Active           bool            `json:"active"`
	UISetupCompleted bool            `json:"ui_setup_completed"`
	CreatedAt        string          `json:"created_at"`
	ModifiedAt       string          `json:"modified_at"`
	History          []HistoryRecord `json:"history,omitzero"`
}

// IdPList holds the identity providers of an account.
type IdPList struct {
	IdPs []*IdP `json:"idps"`
}

func (a *API) wireIdP(ctx context.Context, p *idp.IdP, includeHistory bool) (*IdP, error) {
	secrets, err := a.idps.Secrets(p)
	if err != nil {
		return nil, err
	}
	out := &IdP{
		IdPID: p.ID, EntityTag: p.Tag, AccountID: p.Account, Name: p.Name, Type: p.Type, Properties: p.Properties, Secrets: secrets,
		ShareScope: wireScopes(p.Shared), Active: p.Active, UISetupCompleted: p.UISetupCompleted,
		CreatedAt: stamp(p.CreatedAt), ModifiedAt: stamp(p.ModifiedAt),
	}
	if includeHistory {
		events, err := a.idps.History(ctx, p)
		if err != nil {
			return nil, err
		}
		out.History = wireHistory(events)
	}
	return out, nil
}

func wireScopes(list []idp.Scope) []ShareScope {
	return convert(list, func(s idp.Scope) ShareScope { return ShareScope(s) })
}

func scopes(list []ShareScope) []idp.Scope {
	return convert(list, func(s ShareScope) idp.Scope { return idp.Scope(s) })
}

// idpRef names an identity provider in the path.
type idpRef struct {
	ID string `path:"idp_id"`

	idp *idp.IdP
}

func (r *idpRef) find(ctx context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	c.Seeks("IdP", r.ID)
	if r.idp, err = a.idps.IdP(ctx, r.ID); err != nil {
		return t, err
	}
	return target(r.idp.Account, typeIdP, r.idp.ID, "", ""), nil
}

type listIdPsIn struct {
	AccountID      string `query:"account_id"`
	IncludeHistory bool   `query:"include_history"`
}

// Validate demands the account.
func (in *listIdPsIn) Validate() error { return identity.CheckAccount("account_id", in.AccountID) }

func (in *listIdPsIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", in.AccountID)
	return target(in.AccountID, typeIdP, "", "", ""), nil
}

func (a *API) listIdPs(ctx context.Context, _ *httpapi.Call, in *listIdPsIn) (*IdPList, error) {
	found, err := a.idps.List(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	out := &IdPList{IdPs: make([]*IdP, len(found))}
	for i, p := range found {
		if out.IdPs[i], err = a.wireIdP(ctx, p, in.IncludeHistory); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type createIdPIn struct {
	Automation string `query:"automation"` // tells who calls; changes nothing
	Body       struct {
		AccountID  string         `json:"account_id"`
		Name       string         `json:"name"`
		Type       string         `json:"type"`
		Active     *bool          `json:"active"`
		Properties map[string]any `json:"properties"`
		Secrets    map[string]any `json:"secrets"`
		ShareScope []ShareScope   `json:"share_scope"`
	}
}

func (in *createIdPIn) spec() idp.Spec {
	b := &in.Body
	return idp.Spec{
		Account: b.AccountID, Name: b.Name, Type: b.Type, Active: b.Active,
		Properties: b.Properties, Secrets: b.Secrets, Shared: scopes(b.ShareScope),
	}
}

// Validate checks the body.
func (in *createIdPIn) Validate() error {
	n := in.spec()
	return n.Validate()
}

func (in *createIdPIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", in.Body.AccountID)
	return target(in.Body.AccountID, typeIdP, "", "", ""), nil
}

func (a *API) createIdP(ctx context.Context, c *httpapi.Call, in *createIdPIn) (*IdP, error) {
	p, err := a.idps.Create(ctx, in.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	return a.wireIdP(ctx, p, false)
}

type getIdPIn struct {
	idpRef
	IncludeHistory bool `query:"include_history"`
}

func (a *API) getIdP(ctx context.Context, c *httpapi.Call, in *getIdPIn) (*IdP, error) {
	c.SetETag(in.idp.Tag)
	return a.wireIdP(ctx, in.idp, in.IncludeHistory)
}

type updateIdPIn struct {
	idpRef
	ifMatch
	Force bool `query:"force_share_scope_update"`
	Body  struct {
		Name             *string        `json:"name"`
		Active           *bool          `json:"active"`
		UISetupCompleted *bool          `json:"ui_setup_completed"`
		Properties       map[string]any `json:"properties"`
		Secrets          map[string]any `json:"secrets"`
		ShareScope       *[]ShareScope  `json:"share_scope"`
	}
}

func (in *updateIdPIn) change() idp.Change {
	b := &in.Body
	out := idp.Change{
		Name: b.Name, Active: b.Active, UISetupCompleted: b.UISetupCompleted,
		Properties: b.Properties, Secrets: b.Secrets, ForceShare: in.Force,
	}
	if b.ShareScope != nil {
		list := scopes(*b.ShareScope)
		out.Shared = &list
	}
	return out
}

// Validate checks precondition and body.
func (in *updateIdPIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	change := in.change()
	return change.Validate()
}

func (a *API) updateIdP(ctx context.Context, c *httpapi.Call, in *updateIdPIn) (*IdP, error) {
	p, err := a.idps.Update(ctx, in.ID, in.IfMatch, in.change())
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	return a.wireIdP(ctx, p, false)
}

func (a *API) deleteIdP(ctx context.Context, _ *httpapi.Call, in *idpRef) (*done, error) {
	return nil, a.idps.Delete(ctx, in.ID)
}

// Consumers is the answer that shows which accounts use an identity provider.
type Consumers struct {
	IdPID     string     `json:"idp_id"`
	Consumers []Consumer `json:"consumers"`
}

// Consumer is one of Consumers, with the entries of the share scope that it
// falls under.
type Consumer struct {
	AccountID  string       `json:"account_id"`
	ShareScope []ShareScope `json:"share_scope"`
}

func (a *API) listConsumers(ctx context.Context, _ *httpapi.Call, in *idpRef) (*Consumers, error) {
	found, err := a.idps.Consumers(ctx, in.idp)
	if err != nil {
		return nil, err
	}
	return &Consumers{in.ID, convert(found, func(c idp.Consumer) Consumer { return Consumer{c.Account, wireScopes(c.Shared)} })}, nil
}

// rawIdP finds the identity provider of an operation without typed request and
// authorizes the caller.
func (a *API) rawIdP(ctx context.Context, c *httpapi.Call, r *http.Request) (*idp.IdP, error) {
	ref := idpRef{ID: r.PathValue("idp_id")}
	t, err := ref.find(ctx, a, c)
	if err != nil {
		return nil, err
	}
	return ref.idp, c.Authorize(ctx, c.Op.Access.Action, t)
}

func (a *API) exportMetadata(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	p, err := a.rawIdP(ctx, c, r)
	if err != nil {
		return err
	}
	base := a.base
	if base == "" {
		base = c.Base
	}
	document, err := a.idps.Export(p, base)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	c.Status = http.StatusOK
	w.WriteHeader(c.Status)
	if _, err := w.Write(document); err != nil {
		c.Err = fault.Wrap(err, "writing answer") // the status is out
	}
	return nil
}

// importQuery describes what importMetadata reads beside the document.
type importQuery struct {
	ID        string `path:"idp_id"`
	ParseOnly bool   `query:"parse_only"`
}

func (a *API) importMetadata(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	try := false
	switch r.URL.Query().Get("parse_only") {
	case "", "false":
	case "true":
		try = true
	default:
		return fault.Field("parse_only", "Parameter 'parse_only' must be true or false.")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, idp.MaxMetadata))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.TooLarge, "The request body is larger than %d bytes.", idp.MaxMetadata)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Message: "The request body could not be read.", Cause: err}
	}
	m, err := idp.ParseMetadata(raw)
	if err != nil {
		return err
	}
	p, err := a.rawIdP(ctx, c, r)
	if err != nil {
		return err
	}
	if p, err = a.idps.Import(ctx, p.ID, m, try); err != nil {
		return err
	}
	out, err := a.wireIdP(ctx, p, true)
	if err != nil {
		return err
	}
	c.SetETag(p.Tag)
	return httpapi.WriteJSON(w, c, http.StatusOK, out)
}

// IdPTest is the answer that shows the last test of an identity provider.
type IdPTest struct {
	IdPID      string        `json:"idp_id"`
	EntityTag  string        `json:"entity_tag"`
	StartedAt  int64         `json:"started_at"` // milliseconds since 1970
	ModifiedAt string        `json:"modified_at"`
	IdPVersion string        `json:"idp_version"` // entity tag of what was tested
	Steps      []IdPTestStep `json:"steps"`
}

// IdPTestStep is one step of a test.
type IdPTestStep struct {
	Sequence int    `json:"sequence"`
	Name     string `json:"name"`
	State    string `json:"state"` // PASSED or FAILED
	Result   string `json:"result"`
}

// IdPTestTrigger is the answer to the start of a test.
type IdPTestTrigger struct {
	Result  string `json:"result"`   // PASSED or FAILED
	TestURL string `json:"test_url"` // where the steps are shown
}

func outcome(passed bool) string {
	if passed {
		return "PASSED"
	}
	return "FAILED"
}

func (a *API) getIdPTest(ctx context.Context, _ *httpapi.Call, in *idpRef) (*IdPTest, error) {
	t, err := a.idps.LastTest(ctx, in.idp)
	if err != nil {
		return nil, err
	}
	out := &IdPTest{IdPID: in.ID, EntityTag: t.Tag, StartedAt: t.Started.UnixMilli(), ModifiedAt: stamp(t.ModifiedAt), IdPVersion: t.Tested, Steps: []IdPTestStep{}}
	for i, s := range t.Steps {
		out.Steps = append(out.Steps, IdPTestStep{i + 1, s.Name, outcome(s.Passed), s.Text})
	}
	return out, nil
}

func (a *API) testIdP(ctx context.Context, c *httpapi.Call, in *idpRef) (*IdPTestTrigger, error) {
	t, err := a.idps.RunTest(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	base := a.base
	if base == "" {
		base = c.Base
	}
	return &IdPTestTrigger{outcome(t.Passed()), base + "/v1/idps/" + in.ID + "/test"}, nil
}
