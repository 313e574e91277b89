package enterprisemanagementv1_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/enterprisemanagementv1"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
)

type m = map[string]any

// two are the enterprises of apitest's two accounts, each with its root and an
// account group.
type two struct {
	*apitest.Server
	mine, foreign           *enterprise.Enterprise
	myGroup, groupOfForeign string // CRNs
}

func serve(t testing.TB) *two {
	t.Helper()
	s := &two{Server: apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return enterprisemanagementv1.New(s.Tree, lists.NewSealer(make([]byte, 32))).Operations()
	})}
	s.mine, s.myGroup = s.grow(apitest.Account, apitest.Owner)
	s.foreign, s.groupOfForeign = s.grow(apitest.Other, apitest.OtherOwner)
	return s
}

// grow makes an enterprise with one group out of an account.
func (s *two) grow(accountID, owner string) (*enterprise.Enterprise, string) {
	s.T.Helper()
	ctx := context.Background()
	source, err := s.Accounts.Account(ctx, accountID)
	if err != nil {
		s.T.Fatal(err)
	}
	e, err := s.Tree.Create(ctx, asker.System, source, apitest.Checked(s.T,
		enterprise.NewEnterprise{Name: "Enterprise of " + owner, Contact: owner}))
	if err != nil {
		s.T.Fatal(err)
	}
	g, err := s.Tree.CreateGroup(ctx, e.Place(), apitest.Checked(s.T, enterprise.NewGroup{Name: "group", Contact: owner}))
	if err != nil {
		s.T.Fatal(err)
	}
	return e, g.CRN()
}

// Everybody may know the enterprise of the own account. A second filter must
// not make another's enterprise look like it.
func TestNoFilterShowsAnEnterpriseThatIsNotTheCallers(t *testing.T) {
	s := serve(t)
	foreignRoot, mine := "enterprise_account_id="+s.foreign.Account, "account_id="+apitest.Account
	_, group, _ := strings.Cut(s.groupOfForeign, "::account-group:")
	for query, want := range map[string]int{
		mine:                                1,
		foreignRoot:                         0,
		foreignRoot + "&" + mine:            0,
		"account_id=" + apitest.Other:       0,
		"account_group_id=" + group:         0,
		mine + "&account_group_id=whatever": 1,
	} {
		if got := s.Do(apitest.Member, "GET", "/v1/enterprises?"+query, nil).Want(200).Len("resources"); got != want {
			t.Errorf("%s shows %d enterprises, want %d", query, got, want)
		}
	}
	// "IAMID@" is a login that has not chosen an account.
	if got := s.Do(apitest.Member+"@", "GET", "/v1/enterprises?account_group_id="+group, nil).Want(200).Len("resources"); got != 0 {
		t.Errorf("a login without account sees the enterprise of a group")
	}
}

// Where an account is imported to is answered alike for a place of another
// enterprise and for one that is not there.
func TestAnImportDoesNotTellWhichPlacesOthersHave(t *testing.T) {
	s := serve(t)
	const fresh = "dddddddddddddddddddddddddddddddd"
	s.NewAccount(fresh, apitest.Owner)
	absent := s.groupOfForeign[:len(s.groupOfForeign)-1] + "-"
	answers := map[string]string{}
	for _, parent := range []string{s.groupOfForeign, absent} {
		a := s.Do(apitest.Owner+"@"+s.mine.Account, "PUT", "/v1/enterprises/"+s.mine.ID+"/import/accounts/"+fresh, m{"parent": parent},
			"Transaction-Id: t")
		if a.Status != 404 {
			t.Errorf("importing into %s: %d %s", parent, a.Status, a.Body)
		}
		answers[parent] = strings.ReplaceAll(string(a.Body), parent, "PARENT")
	}
	if answers[absent] != answers[s.groupOfForeign] {
		t.Errorf("absent: %s\nforeign: %s", answers[absent], answers[s.groupOfForeign])
	}
}

// A demand that no login knows would lock everybody out, and an owner that is
// no person would leave the account without one.
func TestNewAccountsNeedAPersonAndAKnownDemand(t *testing.T) {
	s := serve(t)
	caller := apitest.Owner + "@" + s.mine.Account
	make := func(owner string, mfa any) *apitest.Answer {
		return s.Do(caller, "POST", "/v1/accounts", m{"parent": s.myGroup, "name": "child", "owner_iam_id": owner, "traits": m{"mfa": mfa}})
	}
	make(apitest.Owner, "SOMETHING").Want(400)
	make("iam-ServiceId-1", "NONE").Want(400)
	make("iam-Profile-1", "NONE").Want(400)
	make("crn-crn:v1:bluemix:public:kms::::", "NONE").Want(400)
	make(apitest.Owner, "LEVEL1").Want(202)
}

// It hands the account over to the enterprise and cannot be taken back.
func TestOnlyTheOwnerSwitchesEnterpriseManagedIAMOn(t *testing.T) {
	s := serve(t)
	for _, role := range []string{"Operator", "Editor", "Administrator"} {
		s.Grant("IBMid-"+role, role, "serviceName=iam-identity")
	}
	path, on := "/v1/accounts/"+apitest.Account+"/traits", m{"enterprise_iam_managed": true}
	for _, role := range []string{"Operator", "Editor", "Administrator"} {
		s.Do("IBMid-"+role, "PATCH", path, on).Want(403)
	}
	if got := s.Do(apitest.Owner, "PATCH", path, on).Want(200).At("enterprise_iam_managed"); got != true {
		t.Errorf("it is %v", got)
	}
	s.Do(apitest.Owner, "PATCH", path, m{"enterprise_iam_managed": false}).Want(409)
}

// The body may be left out: the account then comes directly under the enterprise.
func TestAnImportedAccountComesToItsPlace(t *testing.T) {
	s := serve(t)
	caller := apitest.Owner + "@" + s.mine.Account
	for i, c := range []struct {
		body any
		want string
	}{{nil, s.mine.ID}, {m{}, s.mine.ID}, {m{"parent": s.myGroup, "billing_unit_id": "b"},
		s.myGroup[strings.LastIndexByte(s.myGroup, ':')+1:]}} {
		fresh := strings.Repeat(string(rune('1'+i)), 32)
		s.NewAccount(fresh, apitest.Owner)
		s.Do(caller, "PUT", "/v1/enterprises/"+s.mine.ID+"/import/accounts/"+fresh, c.body).Want(202)
		if got, err := s.Tree.Member(t.Context(), fresh); err != nil || got.Parent != c.want {
			t.Errorf("with %v it is under %+v, %v", c.body, got, err)
		}
	}
	bad := strings.Repeat("9", 32)
	s.NewAccount(bad, apitest.Owner)
	s.Do(caller, "PUT", "/v1/enterprises/"+s.mine.ID+"/import/accounts/"+bad, `{"parent":`).Want(400)
}

// The value is in this answer only; with it the account can be set up.
func TestAnAccountMayBeginWithAServiceIDOfItsOwner(t *testing.T) {
	s := serve(t)
	caller := apitest.Owner + "@" + s.mine.Account
	body := m{"parent": s.myGroup, "name": "furnished", "owner_iam_id": apitest.Owner,
		"options": m{"create_iam_service_id_with_apikey_and_owner_policies": true}}
	made := s.Do(caller, "POST", "/v1/accounts", body).Want(202)
	if made.Text("iam_apikey") == "" || made.Text("iam_apikey_id") == "" {
		t.Errorf("%s", made.Body)
	}
	owner := "iam-" + made.Text("iam_service_id")
	for _, c := range []struct{ service, action string }{{"iam-identity", "iam-identity.apikey.manage"}, {"kms", "iam.policy.create"},
		{"kms", "kms.secrets.create"}} {
		d, err := s.Authority.Decide(t.Context(), policy.Request{Action: c.action,
			Subject:  policy.Subject{Kind: policy.KindServiceID, IAMID: owner, Account: made.Text("account_id")},
			Resource: policy.Resource{Account: made.Text("account_id"), ServiceName: c.service}, Environment: policy.Environment{Now: s.Now()}})
		if err != nil || !d.Allowed {
			t.Errorf("%s: %v, %v", c.action, d.Reason, err)
		}
	}
	body["name"], body["options"] = "bare", m{"create_iam_service_id_with_apikey_and_owner_policies": false}
	if bare := s.Do(caller, "POST", "/v1/accounts", body).Want(202); strings.Contains(string(bare.Body), "iam_") {
		t.Errorf("%s", bare.Body)
	}
}
