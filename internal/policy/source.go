package policy

import "github.com/kagiban/kagiban/internal/crn"

// SourceOf gives the attributes of a service that acts for itself, from its
// CRN; of what is no CRN, those of nobody.
func SourceOf(name string) Source {
	c, err := crn.Parse(name)
	if err != nil {
		return Source{}
	}
	return Source{ServiceName: c.Service, ServiceInstance: c.Instance, Region: c.Region,
		ResourceType: c.ResourceType, Resource: c.Resource, AccountID: c.Account()}
}
