package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

// The expectations of the walk come from the rows alone: an Action must be
// granted, a Self row needs a token, a Public row needs none.

func TestNobodyGetsInWithoutAToken(t *testing.T) {
	w := newWalker(t)
	n := 0
	for _, op := range w.operations() {
		if op.Access.Public != "" {
			continue
		}
		r := request{op: op, path: wildcard.ReplaceAllString(op.Path, "x"), body: "{}"}
		for _, token := range []string{"", "expired"} {
			if got := w.send(token, r); got.status != http.StatusUnauthorized {
				t.Errorf("%s with token %q: %d %s", key(op), token, got.status, got.body)
			}
			n++
		}
		// The same through the real check of tokens.
		for _, header := range []string{"", "Bearer ", "Bearer x.y.z", "Basic Zm9vOmJhcg==",
			"Bearer eyJhbGciOiJub25lIn0.eyJpYW1faWQiOiJJQk1pZC0xIn0."} {
			q := httptest.NewRequest(op.Method, r.path, strings.NewReader("{}"))
			q.Header.Set("Authorization", header)
			rec := httptest.NewRecorder()
			w.app.core.router.ServeHTTP(rec, q)
			if rec.Code != http.StatusUnauthorized {
				t.Errorf("%s with header %q: %d %s", key(op), header, rec.Code, rec.Body)
			}
			n++
		}
	}
	t.Logf("%d cases", n)
}

var (
	uuidInID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	hexInID  = regexp.MustCompile(`[0-9a-f]{32}`)
)

// absent gives the request about objects of the same form that are not there,
// and a function that takes the difference out of an answer.
func (w *walker) absent(r request) (request, func(string) string) {
	swap := map[string]string{w.acct: strings.Repeat("c", 32)}
	for _, id := range r.made {
		swap[id] = hexInID.ReplaceAllString(uuidInID.ReplaceAllString(id, "00000000-0000-4000-8000-000000000000"), strings.Repeat("d", 32))
		if swap[id] == id {
			swap[id] = strings.Repeat("z", len(id))
		}
	}
	replace := func(text string) string {
		for from, to := range swap {
			text = strings.ReplaceAll(text, from, to)
		}
		return text
	}
	out := r
	out.path, out.body, out.header = replace(r.path), replace(r.body), replace(r.header)
	return out, replace
}

func (w *walker) head() int64 {
	w.t.Helper()
	n, err := w.app.db.Head(w.t.Context(), w.acct)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Nothing of an account can be read, changed, listed or told from a not-there
// by the owner of another one.
func TestOwnersOfOtherAccountsFindNothing(t *testing.T) {
	w := newWalker(t)
	d := w.app.Demo()
	stranger := d.Visitor.IAMID + "@" + d.Caller
	n := 0
	for _, op := range w.operations() {
		if op.Access.Public != "" || !op.Built {
			continue
		}
		r := w.build(op)
		before := w.head()
		foreign := w.send(stranger, r)
		gone, replace := w.absent(r)
		none := w.send(stranger, gone)
		n++
		if op.Access.Action != "" && foreign.status < 400 {
			t.Errorf("%s: a stranger gets %d %s", key(op), foreign.status, foreign.body)
		}
		if foreign.status != none.status || replace(foreign.body) != replace(none.body) {
			t.Errorf("%s: foreign and absent differ:\n%d %s\n%d %s", key(op), foreign.status, foreign.body, none.status, none.body)
		}
		if strings.Contains(foreign.body, "walked ") {
			t.Errorf("%s shows a stranger something: %s", key(op), foreign.body)
		}
		if after := w.head(); after != before {
			t.Errorf("%s by a stranger wrote events %d to %d", key(op), before, after)
		}
	}
	t.Logf("%d cases", n)
}

// member is a user of the account without any policy.
func (w *walker) member() string { return "IBMid-WALKMEMBER@" + w.acct }

func TestMembersWithoutPoliciesAreForbidden(t *testing.T) {
	w := newWalker(t)
	n := 0
	for _, op := range w.operations() {
		if op.Access.Action == "" || !op.Built {
			continue
		}
		r := w.build(op)
		before := w.head()
		got := w.send(w.member(), r)
		n++
		i := slices.IndexFunc(w.decisions, func(a asked) bool { return !a.Allowed })
		switch {
		case i < 0:
			t.Errorf("%s answers %d without asking for %s: %s", key(op), got.status, op.Access.Action, got.body)
		case slices.ContainsFunc(w.decisions, func(a asked) bool { return a.Allowed && a.Action == op.Access.Action }):
			t.Errorf("%s: %s is allowed to a member without policies\n%s", key(op), op.Access.Action, w.denied())
		case got.status != refusal(w.decisions[i].Resource.Account == w.acct):
			t.Errorf("%s: %d: %s", key(op), got.status, got.body)
		}
		if after := w.head(); after != before {
			t.Errorf("%s by a member without policies wrote events", key(op))
		}
	}
	t.Logf("%d cases", n)
}

// refusal is the status for somebody who may not: only in the caller's own
// account does it say that the object is there.
func refusal(home bool) int {
	if home {
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

// kinds of caller that get a role for each operation.
var roleHolders = []struct {
	name  string
	iamID func(n int) string
}{
	{"user", func(n int) string { return fmt.Sprint("IBMid-NARROW", n) }},
	{"service ID", func(n int) string { return fmt.Sprintf("iam-ServiceId-%08x-0000-4000-8000-000000000000", n) }},
	{"profile", func(n int) string { return fmt.Sprintf("iam-Profile-%08x-0000-4000-8000-000000000000", n) }},
}

// ownersOnly are the operations that no role is enough for.
var ownersOnly = map[string]bool{"enterprisemanagementv1.update_account_traits": true}

func TestTheNarrowestRoleSuffices(t *testing.T) {
	for _, holder := range roleHolders {
		t.Run(holder.name, func(t *testing.T) {
			w := newWalker(t)
			n := 0
			for i, op := range w.operations() {
				if op.Access.Action == "" || !op.Built {
					continue
				}
				n++
				iamID := holder.iamID(i + 1)
				want := op.Success
				if ownersOnly[key(op)] {
					want = http.StatusForbidden
				}
				if got := w.withRoles(op, iamID); got.status != want {
					t.Errorf("%s: %d, want %d: %s\n%s", key(op), got.status, want, got.body, w.denied())
				} else if !slices.ContainsFunc(w.decisions, func(a asked) bool { return a.Allowed && a.Action == op.Access.Action }) {
					t.Errorf("%s was done without asking for %s", key(op), op.Access.Action)
				}
			}
			t.Logf("%d cases", n)
		})
	}
}

// withRoles sends a request as somebody who gets, for each action that is
// denied on the way, the narrowest role that has it, until none is.
func (w *walker) withRoles(op *httpapi.Operation, iamID string) reply {
	w.t.Helper()
	r := w.build(op)
	for range 6 {
		got := w.send(iamID+"@"+w.acct, r)
		if got.status != http.StatusForbidden && got.status != http.StatusNotFound {
			return got
		}
		granted := false
		for _, a := range w.decisions {
			if !a.Allowed && a.Resource.ServiceName != "" && w.grant(iamID, a) {
				granted = true
			}
		}
		if !granted {
			return got
		}
	}
	return reply{body: "still denied after six rounds"}
}

// grant gives the narrowest role with an action on the service that it was
// asked on; false when there is none, or it is held already.
func (w *walker) grant(iamID string, a asked) bool {
	w.t.Helper()
	var best policy.Role
	for _, r := range w.app.core.authority.Catalog().RolesOf(a.Resource.ServiceName) {
		if slices.Contains(r.Actions, a.Action) && (best.CRN == "" || len(r.Actions) < len(best.Actions)) {
			best = r
		}
	}
	if best.CRN == "" {
		return false
	}
	eq := func(k, v string) policy.Attribute {
		return policy.Attribute{Key: k, Operator: policy.OpStringEquals, Value: policy.String(v)}
	}
	doc := &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive, RoleIDs: []string{best.CRN},
		Subject:  []policy.Attribute{eq(policy.AttrIAMID, iamID)},
		Resource: []policy.Attribute{eq(policy.AttrAccountID, a.Resource.Account), eq(policy.AttrServiceName, a.Resource.ServiceName)}}
	existing, err := w.app.core.access.ListPolicies(w.t.Context(), a.Resource.Account, iamID, policy.StateActive)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range existing {
		if policy.ScopeOf(&p.Doc).ServiceName != a.Resource.ServiceName {
			continue
		}
		if slices.Contains(p.Doc.RoleIDs, best.CRN) {
			return false
		}
		doc.RoleIDs = append(doc.RoleIDs, p.Doc.RoleIDs...)
		_, err := w.app.core.access.ReplacePolicy(w.t.Context(), asker.System, p, "*", apitest.Checked(w.t, w.app.core.access.PolicySpec(doc)))
		if err != nil {
			w.t.Fatal(err)
		}
		return true
	}
	if _, err := w.app.core.access.CreatePolicy(w.t.Context(), asker.System,
		apitest.Checked(w.t, w.app.core.access.PolicySpec(doc))); err != nil {
		w.t.Fatal(err)
	}
	return true
}

// denied tells the decisions of the last request.
func (w *walker) denied() string {
	var b strings.Builder
	for _, a := range w.decisions {
		fmt.Fprintf(&b, "  %s on %+v: %v %s\n", a.Action, a.Resource, a.Allowed, a.Reason)
	}
	return b.String()
}

// Rows that answer without a token tell nothing of anybody and write nothing.
func TestPublicOperationsShowNothing(t *testing.T) {
	w := newWalker(t)
	w.build(w.find("iamidentityv1", "get_profile")) // something to find
	before := w.head()
	n := 0
	for _, op := range w.operations() {
		if op.Access.Public == "" || op.Family.Name == "dev" || op.Family.Name == "devapi" {
			continue
		}
		for _, path := range []string{wildcard.ReplaceAllString(strings.TrimSuffix(op.Path, "{$}"), "x")} {
			got := w.send("", request{op: op, path: path})
			n++
			if got.status >= 500 && op.Built && got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "walked ") {
				t.Errorf("%s: %d %s", key(op), got.status, got.body)
			}
		}
	}
	if after := w.head(); after != before {
		t.Errorf("public operations wrote events %d to %d", before, after)
	}
	t.Logf("%d cases", n)
}

// samlDocument is the metadata of an identity provider.
func samlDocument(t *testing.T) string {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "walk"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, cert, cert, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://walked.example.com">` +
		`<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing">` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(raw) +
		`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>` +
		`<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://walked.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`
}
