//go:build integration

// The official integration suites are compiled straight out of the SDK module
// (see cmd/conformance). Naming the packages and what their tests import keeps
// the pinned versions in go.mod.
package sdk

import (
	_ "github.com/IBM/go-sdk-core/v5/core"
	_ "github.com/IBM/platform-services-go-sdk/contextbasedrestrictionsv1"
	_ "github.com/IBM/platform-services-go-sdk/enterprisemanagementv1"
	_ "github.com/IBM/platform-services-go-sdk/enterpriseusagereportsv1"
	_ "github.com/IBM/platform-services-go-sdk/iamaccessgroupsv2"
	_ "github.com/IBM/platform-services-go-sdk/iamidentityv1"
	_ "github.com/IBM/platform-services-go-sdk/iampolicymanagementv1"
	_ "github.com/IBM/platform-services-go-sdk/resourcecontrollerv2"
	_ "github.com/IBM/platform-services-go-sdk/resourcemanagerv2"
	_ "github.com/IBM/platform-services-go-sdk/usagemeteringv4"
	_ "github.com/IBM/platform-services-go-sdk/usagereportsv4"
	_ "github.com/IBM/platform-services-go-sdk/usermanagementv1"
	_ "github.com/onsi/ginkgo"
	_ "github.com/onsi/gomega"
)
