package sdk

import (
	"testing"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
	"github.com/IBM/platform-services-go-sdk/iamidentityv1"
)

// profileFor makes a trusted profile in account that the demo's owner may
// assume from the account of the owner's key.
func profileFor(t *testing.T, d demo, account, name string) *iamidentityv1.TrustedProfile {
	t.Helper()
	client := d.owner(t)
	profile, _, err := client.CreateProfile(client.NewCreateProfileOptions(name, account))
	if err != nil {
		t.Fatalf("creating profile: %v", err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteProfile(client.NewDeleteProfileOptions(*profile.ID)); err != nil {
			t.Errorf("deleting profile: %v", err)
		}
	})
	identity := client.NewSetProfileIdentityOptions(*profile.ID, "user", d.get(t, "IAM_ID"), "user")
	identity.SetAccounts([]string{d.get(t, "ACCOUNT_ID")})
	if _, _, err := client.SetProfileIdentity(identity); err != nil {
		t.Fatalf("letting the owner assume the profile: %v", err)
	}
	return profile
}

func TestIamAssumeAuthenticatorFindsTheProfile(t *testing.T) {
	d := startDemo(t)
	accounts := []struct{ name, id string }{
		{"own account", d.get(t, "ACCOUNT_ID")},
		{"another account", d.get(t, "ENTERPRISE_SUBACCOUNT_ID")},
	}
	for _, account := range accounts {
		t.Run(account.name, func(t *testing.T) {
			profile := profileFor(t, d, account.id, "sdk-assume")
			ways := map[string]func(*core.IamAssumeAuthenticatorBuilder){
				"by id":  func(b *core.IamAssumeAuthenticatorBuilder) { b.SetIAMProfileID(*profile.ID) },
				"by CRN": func(b *core.IamAssumeAuthenticatorBuilder) { b.SetIAMProfileCRN(*profile.CRN) },
				"by name and account": func(b *core.IamAssumeAuthenticatorBuilder) {
					b.SetIAMProfileName(*profile.Name).SetIAMAccountID(account.id)
				},
			}
			for way, choose := range ways {
				t.Run(way, func(t *testing.T) {
					auth := assumeAuth(t, d, choose)
					claims := claimsOf(t, mustToken(t, auth))
					if claims.IAMID != *profile.IamID || claims.SubType != "Profile" || claims.Account.BSS != account.id {
						t.Errorf("token is for %s (%s) in %s, want %s (Profile) in %s",
							claims.IAMID, claims.SubType, claims.Account.BSS, *profile.IamID, account.id)
					}
				})
			}
		})
	}
}

// The demo's two accounts of the cross-account story: one key in the first, a
// profile in the second that trusts its owner.
func TestOneKeyWorksInTheAccountThatTrustsItsOwner(t *testing.T) {
	d := startDemo(t)
	auth, err := core.NewIamAssumeAuthenticatorBuilder().SetApiKey(d.get(t, "CALLER_APIKEY")).SetURL(d.url(t)).
		SetIAMProfileName(d.get(t, "PROFILE_NAME")).SetIAMAccountID(d.get(t, "CALLED_ACCOUNT_ID")).Build()
	if err != nil {
		t.Fatal(err)
	}
	claims := claimsOf(t, mustToken(t, auth))
	if claims.SubType != "Profile" || claims.Account.BSS != d.get(t, "CALLED_ACCOUNT_ID") || claims.IAMID != "iam-"+d.get(t, "PROFILE_ID") {
		t.Errorf("token is for %s (%s) in %s", claims.IAMID, claims.SubType, claims.Account.BSS)
	}
	stranger := assumeAuth(t, d, func(b *core.IamAssumeAuthenticatorBuilder) {
		b.SetApiKey(d.get(t, "ADMIN_APIKEY")).SetIAMProfileID(d.get(t, "PROFILE_ID"))
	})
	if token, err := stranger.GetToken(); err == nil {
		t.Errorf("a stranger got a token for %s", claimsOf(t, token).IAMID)
	}
}

func assumeAuth(t *testing.T, d demo, choose func(*core.IamAssumeAuthenticatorBuilder)) *core.IamAssumeAuthenticator {
	t.Helper()
	builder := core.NewIamAssumeAuthenticatorBuilder().SetApiKey(d.get(t, "APIKEY")).
		SetURL(d.url(t)).SetClientIDSecret("bx", "bx")
	choose(builder)
	auth, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func TestProfileCannotBeAssumedByWhomItDoesNotName(t *testing.T) {
	d := startDemo(t)
	client := d.owner(t)
	profile, _, err := client.CreateProfile(client.NewCreateProfileOptions("sdk-nobody", d.get(t, "ENTERPRISE_SUBACCOUNT_ID")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteProfile(client.NewDeleteProfileOptions(*profile.ID)); err != nil {
			t.Errorf("deleting profile: %v", err)
		}
	})
	auth := assumeAuth(t, d, func(b *core.IamAssumeAuthenticatorBuilder) { b.SetIAMProfileID(*profile.ID) })
	if token, err := auth.GetToken(); err == nil {
		t.Errorf("got a token for %s", claimsOf(t, token).IAMID)
	}
}

func TestIamAssumeAuthenticatorRenewsAnExpiredToken(t *testing.T) {
	d := startDemo(t)
	profile := profileFor(t, d, d.get(t, "ENTERPRISE_SUBACCOUNT_ID"), "sdk-assume-renew")
	auth := assumeAuth(t, d, func(b *core.IamAssumeAuthenticatorBuilder) { b.SetIAMProfileID(*profile.ID) })
	d.moveClock(t, -2*time.Hour)
	expired := mustToken(t, auth)
	d.setClock(t, time.Now())
	renewed := mustToken(t, auth)
	if renewed == expired {
		t.Fatal("the authenticator kept the expired token")
	}
	if claims := claimsOf(t, renewed); claims.IAMID != *profile.IamID || claims.Expires <= time.Now().Unix() {
		t.Errorf("renewed token is for %s until %d", claims.IAMID, claims.Expires)
	}
}
