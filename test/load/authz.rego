# The decisions of the peer. Everything is found by key: the groups of the user,
# the grants of a group, the actions of a role.
package authz

default allow := false

allow if {
	some group in data.groups[input.user]
	some grant in data.grants[group]
	grant.instance == input.instance
	grant.service == input.service
	data.actions[grant.role][input.action]
}
