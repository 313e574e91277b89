package sdk

import (
	"net/http"
	"testing"

	"github.com/IBM/go-sdk-core/v5/core"
	"github.com/IBM/platform-services-go-sdk/iamidentityv1"
)

// A service ID with its own key, linked and named in a profile of another
// account, works in that account without a key there.
func TestServiceIDWorksInAnotherAccountThroughAProfile(t *testing.T) {
	d := startDemo(t)
	home, other := d.get(t, "ACCOUNT_ID"), d.get(t, "ENTERPRISE_SUBACCOUNT_ID")
	owner := d.owner(t)

	serviceID, _, err := owner.CreateServiceID(owner.NewCreateServiceIDOptions(home, "sdk-story"))
	must(t, err, "creating service ID")
	t.Cleanup(func() {
		_, err := owner.DeleteServiceID(owner.NewDeleteServiceIDOptions(*serviceID.ID))
		must(t, err, "deleting service ID")
	})
	keyOptions := owner.NewCreateAPIKeyOptions("sdk-story", *serviceID.IamID)
	keyOptions.SetAccountID(home)
	key, _, err := owner.CreateAPIKey(keyOptions)
	must(t, err, "creating API key")

	profile, _, err := owner.CreateProfile(owner.NewCreateProfileOptions("sdk-story", other))
	must(t, err, "creating profile")
	t.Cleanup(func() {
		_, err := owner.DeleteProfile(owner.NewDeleteProfileOptions(*profile.ID))
		must(t, err, "deleting profile")
	})
	link := owner.NewCreateLinkOptions(*profile.ID, "VSI", &iamidentityv1.CreateProfileLinkRequestLink{
		CRN: core.StringPtr("crn:v1:bluemix:public:is:us-south:a/" + other + "::instance:sdk-story"),
	})
	_, _, err = owner.CreateLink(link)
	must(t, err, "linking a virtual server")
	links, _, err := owner.ListLinks(owner.NewListLinksOptions(*profile.ID))
	must(t, err, "listing links")
	if len(links.Links) != 1 {
		t.Errorf("the profile has %d links, want 1", len(links.Links))
	}
	_, _, err = owner.SetProfileIdentity(owner.NewSetProfileIdentityOptions(*profile.ID, "serviceid", *serviceID.ID, "serviceid"))
	must(t, err, "naming the service ID in the profile")

	assume, err := core.NewIamAssumeAuthenticatorBuilder().SetURL(d.url(t)).SetApiKey(*key.Apikey).
		SetIAMProfileName("sdk-story").SetIAMAccountID(other).Build()
	must(t, err, "building the authenticator")
	if claims := claimsOf(t, mustToken(t, assume)); claims.IAMID != *profile.IamID || claims.Account.BSS != other {
		t.Errorf("assumed token is for %s in %s", claims.IAMID, claims.Account.BSS)
	}

	_, err = owner.DeleteAPIKey(owner.NewDeleteAPIKeyOptions(*key.ID))
	must(t, err, "deleting API key")
	if _, err := d.keyAuth(t, *key.Apikey).GetToken(); err == nil {
		t.Error("a deleted key still gets a token")
	}
	_, resp, err := owner.GetAPIKey(owner.NewGetAPIKeyOptions(*key.ID))
	if err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("reading a deleted key: %v, want status 404", err)
	}
}

func must(t *testing.T, err error, doing string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}
