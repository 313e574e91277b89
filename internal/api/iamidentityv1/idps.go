package iamidentityv1

import (
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/lists"
)

func (a *API) idpRows() []httpapi.Operation {
	const all, one = "/v1/idps", "/v1/idps/{idp_id}"
	const read, update, test = "iam-identity.idp.get", "iam-identity.idp.update", "iam-identity.idp.test"
	find := findIdP[idpRef](a)
	return httpapi.Table(Family,
		httpapi.Op[listIdPsIn, httpapi.None, IdPList]{ID: "list_idps", Method: "GET", Path: all, Status: 200,
			Action: "iam-identity.idp.list", Check: (*listIdPsIn).check, Find: findIdPs, Do: a.listIdPs},
		httpapi.Op[createIdPIn, *idp.Draft, IdP]{ID: "create_idp", Method: "POST", Path: all, Status: 201,
			Action: "iam-identity.idp.create", Find: findNewIdP, Do: a.createIdP},
		httpapi.Op[getIdPIn, *idp.IdP, IdP]{ID: "get_idp", Method: "GET", Path: one, Status: 200,
			Action: read, Find: findIdP[getIdPIn](a), Do: a.getIdP},
		httpapi.Op[updateIdPIn, idpChange, IdP]{ID: "update_idp", Method: "PUT", Path: one, Status: 200,
			Action: update, Check: (*updateIdPIn).present, Find: httpapi.Checking(updateIdPIn.spec, findIdP[updateIdPIn](a)), Do: a.updateIdP},
		httpapi.Op[idpRef, *idp.IdP, httpapi.None]{ID: "delete_idp", Method: "DELETE", Path: one, Status: 204,
			Action: "iam-identity.idp.delete", Find: find, Do: a.deleteIdP},
		httpapi.Op[idpRef, *idp.IdP, Consumers]{ID: "list_consumer_accounts", Method: "GET", Path: one + "/consumers", Status: 200,
			Action: read, Find: find, Do: a.listConsumers},
		httpapi.Raw{ID: "export_saml_metadata", Method: "GET", Path: one + "/saml/metadata", Status: 200,
			Action: read, OutText: "text/xml", Serve: a.exportMetadata},
		httpapi.Raw{ID: "import_saml_idp_metadata", Method: "PUT", Path: one + "/saml/metadata", Status: 200,
			Action: update, Takes: httpapi.Type[importQuery](), InText: "text/xml", Gives: httpapi.Type[IdP](), Serve: a.importMetadata},
		httpapi.Op[idpRef, *idp.IdP, IdPTest]{ID: "get_idp_test_result", Method: "GET", Path: one + "/test", Status: 200,
			Action: test, Find: find, Do: a.getIdPTest},
		httpapi.Op[idpRef, *idp.IdP, IdPTestTrigger]{ID: "test_idp", Method: "POST", Path: one + "/test", Status: 200,
			Action: test, Find: find, Do: a.testIdP},
	)
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
	return lists.Map(list, func(s idp.Scope) ShareScope { return ShareScope(s) })
}

func scopes(list []ShareScope) []idp.Scope {
	return lists.Map(list, func(s ShareScope) idp.Scope { return idp.Scope(s) })
}

// idpRef names an identity provider in the path.
type idpRef struct {
	ID string `path:"idp_id"`
}

func (r idpRef) idpID() string { return r.ID }

func findIdP[In interface{ idpID() string }](a *API) func(context.Context, *httpapi.Call, *In) (*idp.IdP, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*idp.IdP, httpapi.Target, error) {
		return a.findIdP(ctx, c, (*in).idpID())
	}
}

func (a *API) findIdP(ctx context.Context, c *httpapi.Call, idpID string) (*idp.IdP, httpapi.Target, error) {
	c.Seeks("IdP", idpID)
	p, err := a.idps.IdP(ctx, idpID)
	if err != nil {
		return nil, httpapi.Target{}, err
	}
	return p, target(p.Account, typeIdP, p.ID), nil
}

type listIdPsIn struct {
	AccountID      string `query:"account_id"`
	IncludeHistory bool   `query:"include_history"`
}

func (in *listIdPsIn) check() error { return identity.CheckAccount("account_id", in.AccountID) }

func findIdPs(_ context.Context, c *httpapi.Call, in *listIdPsIn) (httpapi.None, httpapi.Target, error) {
	c.Seeks("Account", in.AccountID)
	return httpapi.None{}, target(in.AccountID, typeIdP, ""), nil
}

func (a *API) listIdPs(ctx context.Context, _ *httpapi.Call, in *listIdPsIn, _ httpapi.None) (*IdPList, error) {
	found, err := a.idps.List(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	list, err := lists.TryMap(found, func(p *idp.IdP) (*IdP, error) { return a.wireIdP(ctx, p, in.IncludeHistory) })
	return &IdPList{list}, err
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

func findNewIdP(_ context.Context, c *httpapi.Call, in *createIdPIn) (*idp.Draft, httpapi.Target, error) {
	b := &in.Body
	draft, err := idp.Spec{
		Account: b.AccountID, Name: b.Name, Type: b.Type, Active: b.Active,
		Properties: b.Properties, Secrets: b.Secrets, Shared: scopes(b.ShareScope),
	}.Draft()
	if err != nil {
		return nil, httpapi.Target{}, err
	}
	c.Seeks("Account", b.AccountID)
	return draft, target(b.AccountID, typeIdP, ""), nil
}

func (a *API) createIdP(ctx context.Context, c *httpapi.Call, _ *createIdPIn, draft *idp.Draft) (*IdP, error) {
	p, err := a.idps.Create(ctx, draft)
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

func (a *API) getIdP(ctx context.Context, c *httpapi.Call, in *getIdPIn, p *idp.IdP) (*IdP, error) {
	c.SetETag(p.Tag)
	return a.wireIdP(ctx, p, in.IncludeHistory)
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

func (in updateIdPIn) spec() idp.Change {
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

type idpChange = httpapi.Given[*idp.IdP, idp.Change]

func (a *API) updateIdP(ctx context.Context, c *httpapi.Call, in *updateIdPIn, g idpChange) (*IdP, error) {
	p, err := a.idps.Update(ctx, g.Found, in.IfMatch, g.Spec)
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	return a.wireIdP(ctx, p, false)
}

func (a *API) deleteIdP(ctx context.Context, _ *httpapi.Call, _ *idpRef, p *idp.IdP) (*httpapi.None, error) {
	return nil, a.idps.Delete(ctx, p)
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

func (a *API) listConsumers(ctx context.Context, _ *httpapi.Call, _ *idpRef, p *idp.IdP) (*Consumers, error) {
	found, err := a.idps.Consumers(ctx, p)
	if err != nil {
		return nil, err
	}
	return &Consumers{p.ID, lists.Map(found, func(c idp.Consumer) Consumer { return Consumer{c.Account, wireScopes(c.Shared)} })}, nil
}

// rawIdP finds the identity provider of an operation without typed request and
// authorizes the caller.
func (a *API) rawIdP(ctx context.Context, c *httpapi.Call, r *http.Request) (*idp.IdP, error) {
	p, t, err := a.findIdP(ctx, c, r.PathValue("idp_id"))
	if err != nil {
		return nil, err
	}
	return p, c.Authorize(ctx, c.Op.Access.Action, t)
}

// url gives the address of this server that answers name, without slash at its end.
func (a *API) url(c *httpapi.Call) string { return cmp.Or(a.base, c.Base) }

func (a *API) exportMetadata(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	p, err := a.rawIdP(ctx, c, r)
	if err != nil {
		return err
	}
	document, err := a.idps.Export(p, a.url(c))
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
	if err != nil {
		return httpapi.BodyFault(err, idp.MaxMetadata)
	}
	m, err := idp.ParseMetadata(raw)
	if err != nil {
		return err
	}
	var p *idp.IdP
	err = c.Retry(ctx, func() error {
		found, err := a.rawIdP(ctx, c, r)
		if err != nil {
			return err
		}
		if try {
			p, err = a.idps.TryImport(found, m)
		} else {
			p, err = a.idps.Import(ctx, found, m)
		}
		return err
	})
	if err != nil {
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

func (a *API) getIdPTest(ctx context.Context, _ *httpapi.Call, _ *idpRef, p *idp.IdP) (*IdPTest, error) {
	t, err := a.idps.LastTest(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &IdPTest{
		IdPID: p.ID, EntityTag: t.Tag, StartedAt: t.Started.UnixMilli(), ModifiedAt: stamp(t.ModifiedAt),
		IdPVersion: t.Tested, Steps: []IdPTestStep{},
	}
	for i, s := range t.Steps {
		out.Steps = append(out.Steps, IdPTestStep{i + 1, s.Name, outcome(s.Passed), s.Text})
	}
	return out, nil
}

func (a *API) testIdP(ctx context.Context, c *httpapi.Call, _ *idpRef, p *idp.IdP) (*IdPTestTrigger, error) {
	t, err := a.idps.RunTest(ctx, p)
	if err != nil {
		return nil, err
	}
	return &IdPTestTrigger{outcome(t.Passed()), a.url(c) + "/v1/idps/" + p.ID + "/test"}, nil
}
