package iamidentityv1

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/report"
)

func (a *API) reportRows() []httpapi.Operation {
	const inactivity, mfa = "/v1/activity/accounts/{account_id}/report", "/v1/mfa/accounts/{account_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "create_report", "POST", inactivity, 202, act("report.create"), at[createReportIn](a), a.createReport),
		httpapi.OldOp(Family, "get_report", "GET", inactivity+"/{reference}", 200, act("report.get"), at[reportRef](a), a.getReport).MayBePending(),
		httpapi.OldOp(Family, "get_mfa_status", "GET", mfa+"/status", 200, act("mfa-status.get"), at[mfaStatusIn](a), a.getMFAStatus),
		httpapi.OldOp(Family, "create_mfa_report", "POST", mfa+"/report", 202, act("mfa-status.get"), at[createMFAReportIn](a), a.createMFAReport),
		httpapi.OldOp(Family, "get_mfa_report", "GET", mfa+"/report/{reference}", 200, act("mfa-status.get"), at[reportRef](a), a.getMFAReport).MayBePending(),
	}
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
		Users: each(in.Users, users), APIKeys: each(in.APIKeys, keys),
		ServiceIDs: each(in.ServiceIDs, entities), Profiles: each(in.Profiles, entities),
	}
}

// reports is the target of an operation on the account's reports.
func (r *accountRef) reports(c *httpapi.Call) httpapi.Target {
	c.Seeks("Account", r.AccountID)
	return target(r.AccountID, typeReport, "", "", "")
}

type createReportIn struct {
	accountRef
	Type     string `query:"type"`
	Duration string `query:"duration"`
}

// Validate checks the parameters.
func (in *createReportIn) Validate() error {
	if in.Type != "" && in.Type != report.KindInactive {
		return fault.Field("type", "Parameter 'type' must be %s.", report.KindInactive)
	}
	_, err := report.Hours(in.Duration)
	return err
}

func (in *createReportIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	return in.reports(c), nil
}

func (a *API) createReport(ctx context.Context, _ *httpapi.Call, in *createReportIn) (*ReportReference, error) {
	hours, err := report.Hours(in.Duration)
	if err != nil {
		return nil, err
	}
	return a.order(ctx, in.AccountID, report.KindInactive, hours)
}

func (a *API) order(ctx context.Context, accountID, kind string, hours int) (*ReportReference, error) {
	r, err := a.reports.Order(ctx, accountID, kind, hours)
	if err != nil {
		return nil, err
	}
	return &ReportReference{r.ID}, nil
}

// reportRef names a report in the path.
type reportRef struct {
	accountRef
	Reference string `path:"reference"`
}

func (r *reportRef) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	return r.accountRef.reports(c), nil
}

func (a *API) getReport(ctx context.Context, c *httpapi.Call, in *reportRef) (*Report, error) {
	r, err := a.reports.Get(ctx, in.AccountID, report.KindInactive, in.Reference)
	if err != nil {
		return nil, err
	}
	if r == nil {
		c.SetStatus(http.StatusNoContent)
		return nil, nil
	}
	return wireReport(r), nil
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

// Validate demands the user.
func (in *mfaStatusIn) Validate() error {
	if in.IAMID == "" {
		return fault.Missing("iam_id")
	}
	return nil
}

func (in *mfaStatusIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	return in.reports(c), nil
}

func (a *API) getMFAStatus(ctx context.Context, _ *httpapi.Call, in *mfaStatusIn) (*MFAEnrollments, error) {
	u, err := a.reports.MFAStatus(ctx, in.AccountID, in.IAMID)
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

// Validate checks the kind of report.
func (in *createMFAReportIn) Validate() error {
	if in.Type != "" && in.Type != report.KindMFA {
		return fault.Field("type", "Parameter 'type' must be %s.", report.KindMFA)
	}
	return nil
}

func (in *createMFAReportIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	return in.reports(c), nil
}

func (a *API) createMFAReport(ctx context.Context, _ *httpapi.Call, in *createMFAReportIn) (*ReportReference, error) {
	return a.order(ctx, in.AccountID, report.KindMFA, 0)
}

func (a *API) getMFAReport(ctx context.Context, c *httpapi.Call, in *reportRef) (*MFAReport, error) {
	r, err := a.reports.Get(ctx, in.AccountID, report.KindMFA, in.Reference)
	if err != nil {
		return nil, err
	}
	if r == nil {
		c.SetStatus(http.StatusNoContent)
		return nil, nil
	}
	return &MFAReport{
		CreatedBy: r.Owner, Reference: r.ID, ReportTime: stamp(r.CreatedAt), AccountID: r.Account,
		Users: each(r.MFA, func(u report.UserMFA) MFAReportOfAUser {
			return MFAReportOfAUser{wireMFA(u), u.Name, u.Email, u.Email}
		}),
	}, nil
}
