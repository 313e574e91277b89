package iamidentityv1

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) reportRows() []httpapi.Operation {
	const inactivity, mfa = "/v1/activity/accounts/{account_id}/report", "/v1/mfa/accounts/{account_id}"
	const readMFA = "iam-identity.mfa-status.get"
	return httpapi.Table(Family,
		httpapi.Op[createReportIn, report.Order, ReportReference]{ID: "create_report", Method: "POST", Path: inactivity, Status: 202,
			Action: "iam-identity.report.create", Check: (*createReportIn).check, Find: findReportOrder, Do: orderReport[createReportIn](a)},
		httpapi.Op[reportRef, httpapi.None, Report]{ID: "get_report", Method: "GET", Path: inactivity + "/{reference}", Status: 200,
			Pending: true, Action: "iam-identity.report.get", Find: findReports[reportRef], Do: getReport(a, report.KindInactive, wireReport)},
		httpapi.Op[mfaStatusIn, valid.Of[report.IAMID], MFAEnrollments]{ID: "get_mfa_status", Method: "GET", Path: mfa + "/status", Status: 200,
			Action: readMFA, Find: findPerson, Do: a.getMFAStatus},
		httpapi.Op[createMFAReportIn, report.Order, ReportReference]{ID: "create_mfa_report", Method: "POST", Path: mfa + "/report", Status: 202,
			Action: readMFA, Check: (*createMFAReportIn).check, Find: findMFAOrder, Do: orderReport[createMFAReportIn](a)},
		httpapi.Op[reportRef, httpapi.None, MFAReport]{ID: "get_mfa_report", Method: "GET", Path: mfa + "/report/{reference}", Status: 200,
			Pending: true, Action: readMFA, Find: findReports[reportRef], Do: getReport(a, report.KindMFA, wireMFAReport)},
	)
}

// ReportReference names a report that was ordered.
type ReportReference struct {
	Reference string `json:"reference"`
}

// Report is the answer that shows the identities that were not authenticated.
// Its lists are always there.
type Report struct {
	CreatedBy  string           `json:"created_by"`
	Reference  string           `json:"reference"`
	Duration   string           `json:"report_duration"` // hours
	StartTime  string           `json:"report_start_time"`
	EndTime    string           `json:"report_end_time"`
	Users      []UserActivity   `json:"users"`
	APIKeys    []APIKeyActivity `json:"apikeys"`
	ServiceIDs []EntityActivity `json:"serviceids"`
	Profiles   []EntityActivity `json:"profiles"`
}

// UserActivity is a user in a report.
type UserActivity struct {
	IAMID     string `json:"iam_id"`
	Name      string `json:"name,omitempty"`
	Username  string `json:"username"`
	Email     string `json:"email,omitempty"`
	LastAuthn string `json:"last_authn,omitempty"`
}

// EntityActivity is a service ID or profile in a report.
type EntityActivity struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	LastAuthn string `json:"last_authn,omitempty"`
}

// APIKeyActivity is an API key in a report, with the service ID or user that
// it belongs to.
type APIKeyActivity struct {
	ID        string          `json:"id"`
	Name      string          `json:"name,omitempty"`
	Type      string          `json:"type"` // serviceid or user
	ServiceID *EntityActivity `json:"serviceid,omitempty"`
	User      *UserActivity   `json:"user,omitempty"`
	LastAuthn string          `json:"last_authn,omitempty"`
}

// stampOrNone is stamp for a time that may be none.
func stampOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

func wireReport(r *report.Report) *Report {
	users := func(u report.User) UserActivity {
		return UserActivity{u.IAMID, u.Name, u.Email, u.Email, stampOrNone(u.Last)}
	}
	entities := func(e report.Entity) EntityActivity { return EntityActivity{e.ID, e.Name, stampOrNone(e.Last)} }
	keys := func(k report.Key) APIKeyActivity {
		out := APIKeyActivity{ID: k.ID, Name: k.Name, Type: "serviceid", LastAuthn: stampOrNone(k.Last)}
		if k.ServiceID != nil {
			e := entities(*k.ServiceID)
			out.ServiceID = &e
		}
		if k.User != nil {
			u := users(*k.User)
			out.Type, out.User = "user", &u
		}
		return out
	}
	in := r.Inactive
	return &Report{
		CreatedBy: r.Owner, Reference: r.ID, Duration: strconv.Itoa(r.Hours), StartTime: stamp(r.Start()), EndTime: stamp(r.CreatedAt),
		Users: lists.Map(in.Users, users), APIKeys: lists.Map(in.APIKeys, keys),
		ServiceIDs: lists.Map(in.ServiceIDs, entities), Profiles: lists.Map(in.Profiles, entities),
	}
}

// findReports decides on the account's reports: whether the one is there that a
// request names, only those learn who may read them.
func findReports[In interface{ accountID() string }](_ context.Context, c *httpapi.Call, in *In) (httpapi.None, httpapi.Target, error) {
	accountID := (*in).accountID()
	c.Seeks("Account", accountID)
	return httpapi.None{}, target(accountID, typeReport, ""), nil
}

type createReportIn struct {
	accountRef
	Type     string `query:"type"`
	Duration string `query:"duration"`
}

func (in *createReportIn) check() error { return checkReportType(in.Type, report.KindInactive) }

func checkReportType(given, kind string) error {
	if given != "" && given != kind {
		return fault.Field("type", "Parameter 'type' must be %s.", kind)
	}
	return nil
}

func findReportOrder(ctx context.Context, c *httpapi.Call, in *createReportIn) (report.Order, httpapi.Target, error) {
	o, err := report.Inactive(in.Duration)
	if err != nil {
		return o, httpapi.Target{}, err
	}
	_, t, err := findReports(ctx, c, in)
	return o, t, err
}

func orderReport[In interface{ accountID() string }](a *API,
) func(context.Context, *httpapi.Call, *In, report.Order) (*ReportReference, error) {
	return func(ctx context.Context, _ *httpapi.Call, in *In, o report.Order) (*ReportReference, error) {
		r, err := a.reports.Order(ctx, (*in).accountID(), o)
		if err != nil {
			return nil, err
		}
		return &ReportReference{r.ID}, nil
	}
}

// reportRef names a report in the path.
type reportRef struct {
	accountRef
	Reference string `path:"reference"`
}

// getReport shows a report of a kind, or 204 as long as it is not ready.
func getReport[Out any](a *API, kind string, wire func(*report.Report) *Out,
) func(context.Context, *httpapi.Call, *reportRef, httpapi.None) (*Out, error) {
	return func(ctx context.Context, c *httpapi.Call, in *reportRef, _ httpapi.None) (*Out, error) {
		r, err := a.reports.Get(ctx, in.AccountID, kind, in.Reference)
		if err != nil {
			return nil, err
		}
		if r == nil {
			c.SetStatus(http.StatusNoContent)
			return nil, nil
		}
		return wire(r), nil
	}
}

// MFAEnrollments is the answer that shows how a user stands towards the demand
// for a second factor.
type MFAEnrollments struct {
	IAMID            string           `json:"iam_id"`
	EffectiveMFAType string           `json:"effective_mfa_type"`
	IDBased          IDBasedMFA       `json:"id_based_mfa"`
	AccountBased     *AccountBasedMFA `json:"account_based_mfa"`
}

// IDBasedMFA is what the settings demand of a user.
type IDBasedMFA struct {
	AccountDefault string `json:"trait_account_default"`
	UserSpecific   string `json:"trait_user_specific,omitempty"`
	Effective      string `json:"trait_effective"`
	Complies       bool   `json:"complies"`
	// ComplyState is "NO" for who does not comply. How it stands in other
	// accounts is not told.
	ComplyState string `json:"comply_state,omitempty"`
}

// AccountBasedMFA is the older way of demanding factors, which no account of
// this server has.
type AccountBasedMFA struct {
	SecurityQuestions MFAFactor `json:"security_questions"`
	TOTP              MFAFactor `json:"totp"`
	Verisign          MFAFactor `json:"verisign"`
	Complies          bool      `json:"complies"`
}

// MFAFactor is one factor of AccountBasedMFA.
type MFAFactor struct {
	Required bool `json:"required"`
	Enrolled bool `json:"enrolled"`
}

// MFAReport is the answer that judges all users of an account.
type MFAReport struct {
	CreatedBy  string             `json:"created_by"`
	Reference  string             `json:"reference"`
	ReportTime string             `json:"report_time"`
	AccountID  string             `json:"account_id"`
	Users      []MFAReportOfAUser `json:"users"`
}

// MFAReportOfAUser is a user in a report.
type MFAReportOfAUser struct {
	MFAEnrollments
	Name     string `json:"name,omitempty"`
	Username string `json:"username"`
	Email    string `json:"email,omitempty"`
}

func wireMFA(u report.UserMFA) MFAEnrollments {
	out := MFAEnrollments{
		IAMID: u.IAMID, EffectiveMFAType: "id_based_mfa", AccountBased: &AccountBasedMFA{Complies: true},
		IDBased: IDBasedMFA{AccountDefault: u.Default, UserSpecific: u.Specific, Effective: u.Effective, Complies: u.Complies},
	}
	if !u.Complies {
		out.IDBased.ComplyState = "NO"
	}
	return out
}

type mfaStatusIn struct {
	accountRef
	IAMID string `query:"iam_id"`
}

func findPerson(ctx context.Context, c *httpapi.Call, in *mfaStatusIn) (valid.Of[report.IAMID], httpapi.Target, error) {
	who, err := valid.Check(report.IAMID(in.IAMID))
	if err != nil {
		return who, httpapi.Target{}, err
	}
	_, t, err := findReports(ctx, c, in)
	return who, t, err
}

func (a *API) getMFAStatus(ctx context.Context, _ *httpapi.Call, in *mfaStatusIn, who valid.Of[report.IAMID]) (*MFAEnrollments, error) {
	u, err := a.reports.MFAStatus(ctx, in.AccountID, who)
	if err != nil {
		return nil, err
	}
	out := wireMFA(*u)
	return &out, nil
}

type createMFAReportIn struct {
	accountRef
	Type string `query:"type"`
}

func (in *createMFAReportIn) check() error { return checkReportType(in.Type, report.KindMFA) }

func findMFAOrder(ctx context.Context, c *httpapi.Call, in *createMFAReportIn) (report.Order, httpapi.Target, error) {
	_, t, err := findReports(ctx, c, in)
	return report.MFA(), t, err
}

func wireMFAReport(r *report.Report) *MFAReport {
	return &MFAReport{
		CreatedBy: r.Owner, Reference: r.ID, ReportTime: stamp(r.CreatedAt), AccountID: r.Account,
		Users: lists.Map(r.MFA, func(u report.UserMFA) MFAReportOfAUser {
			return MFAReportOfAUser{wireMFA(u), u.Name, u.Email, u.Email}
		}),
	}
}
