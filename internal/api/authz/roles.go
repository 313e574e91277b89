package authz

import (
	"context"
	"net/http"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

type rolesOut struct {
	Responses     []rolesAnswer `json:"responses"`
	TransactionID string        `json:"transactionId"`
	InstanceID    string        `json:"instanceId"`
	Errors        []faultDoc    `json:"errors"`
}

type rolesAnswer struct {
	RequestID  string            `json:"requestId,omitempty"`
	Status     string            `json:"status"`
	Attributes map[string]string `json:"attributes,omitempty"`
	SubjectID  *userID           `json:"subjectId,omitempty"`
	// RoleActions are service roles and custom roles, Platform platform roles.
	RoleActions []roleActions `json:"roleActions"`
	Platform    extensions    `json:"platformExtensions"`
	Error       *errorDoc     `json:"error,omitempty"`
}

type userID struct {
	UserID string `json:"userId"`
}

type extensions struct {
	RoleActions []roleActions `json:"roleActions"`
}

type roleActions struct {
	Role    roleDoc     `json:"role"`
	Actions []actionDoc `json:"actions"`
}

type roleDoc struct {
	CRN         string `json:"crn"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
}

type actionDoc struct {
	Action      string `json:"action"`
	DisplayName string `json:"displayName"`
}

// roles answers up to a hundred questions without action: which roles does the
// subject have on the resource?
func (a *API) roles(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	text, err := body(w, r)
	if err != nil {
		return err
	}
	in := reader{scanner: scanner{text: text}, now: c.Now()}
	list, err := in.questions()
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].Resource.Account != list[0].Resource.Account {
			return errBody("The resources must be of one account.")
		}
	}
	out := rolesOut{TransactionID: c.TransactionID, InstanceID: instance, Responses: make([]rolesAnswer, len(list)), Errors: []faultDoc{}}
	for i := range list {
		if out.Responses[i], err = a.rolesOf(ctx, c, &list[i]); err != nil {
			return err
		}
	}
	return httpapi.WriteJSON(w, c, http.StatusOK, &out)
}

// instance names the server in answers.
const instance = "kagiban"

func (a *API) rolesOf(ctx context.Context, c *httpapi.Call, q *question) (rolesAnswer, error) {
	out := rolesAnswer{RequestID: q.requestID, Status: "200", RoleActions: []roleActions{}, Platform: extensions{[]roleActions{}}}
	refuse := func(status, code, message string) (rolesAnswer, error) {
		out.Status, out.Error = status, &errorDoc{c.TransactionID, instance, []faultDoc{{code, message}}}
		return out, nil
	}
	if q.bad != "" {
		return refuse("400", "invalid_body", q.bad)
	}
	yes, err := a.mayAsk(ctx, c, q)
	if err != nil {
		return out, err
	}
	if !yes {
		return refuse("403", "not_authorized", notYours)
	}
	out.SubjectID, out.Attributes = &userID{q.Subject.IAMID}, attributesOf(&q.Resource)
	s, err := a.snapshot(ctx, q.Resource.Account)
	if err != nil || s == nil || q.expired {
		return out, err
	}
	if active, err := a.active(ctx, s, q); err != nil || !active {
		return out, err
	}
	for _, g := range policy.RolesOn(s, &q.Request) {
		w := roleActions{Role: roleDoc{g.Role.CRN, g.Role.DisplayName, g.Role.Description}, Actions: []actionDoc{}}
		for _, action := range g.Actions {
			w.Actions = append(w.Actions, actionDoc{action.ID, action.DisplayName})
		}
		if g.Role.Kind == policy.RoleSystem {
			out.Platform.RoleActions = append(out.Platform.RoleActions, w)
		} else {
			out.RoleActions = append(out.RoleActions, w)
		}
	}
	return out, nil
}

// attributesOf gives a resource as clients name its parts.
func attributesOf(r *policy.Resource) map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{
		policy.AttrServiceName: r.ServiceName, policy.AttrAccountID: r.Account, policy.AttrRegion: r.Region,
		policy.AttrServiceInstance: r.ServiceInstance,
		policy.AttrResourceType:    r.ResourceType, policy.AttrResource: r.Resource, policy.AttrResourceGroupID: r.ResourceGroupID,
		policy.AttrServiceType: r.ServiceType, policy.AttrServiceGroupID: r.ServiceGroupID,
	} {
		if value != "" {
			out[name] = value
		}
	}
	for _, a := range r.Attributes {
		out[a.Name] = a.Value
	}
	return out
}
