package dashboards

import (
	"slices"
	"sync"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// The groups of event types that the dashboards of Grafana and the saved objects show.
var (
	logins      = []string{"logon", "logon_fail", "factor_fail"}
	factors     = []string{"mfa_on", "mfa_off", "mfa_skip"}
	credentials = []string{"cred_add", "app_key_add", "app_secret"}
	notable     = append([]string{"impersonate", "acc_lock", "acc_delete", "mfa_off"}, credentials...)
)

// table is the built-in one.
var table = sync.OnceValue(func() *schema.Table {
	t, err := schema.Load(nil, "")
	if err != nil {
		panic(err) // the tests of package schema load it
	}
	return t
})

// typesOf are the event types of these groups of the table, sorted.
func typesOf(groups []string) (types []string) {
	for _, row := range table().Rows() {
		if slices.Contains(groups, row.Group) {
			types = append(types, row.Type)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}
