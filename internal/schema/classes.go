package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The OCSF classes in use.
const (
	classBase           = 0
	classAccountChange  = 3001
	classAuthentication = 3002
	classEntity         = 3004
	classUserAccess     = 3005
	classGroup          = 3006
	classUserManagement = 3007 // 1.9.0
	classRole           = 3008 // 1.9.0
	classAPI            = 6003
)

var classNames = map[uint16]string{
	classBase: "Base Event", classAccountChange: "Account Change", classAuthentication: "Authentication", classEntity: "Entity Management", classUserAccess: "User Access Management",
	classGroup: "Group Management", classUserManagement: "User Management", classRole: "Role Management", classAPI: "API Activity",
}

// other is OCSF's id of what has no id.
const other = 99

// ocsf18 are the activities of the classes of OCSF 1.8.0 that are written.
var ocsf18 = map[uint16]map[uint8]string{
	classBase: {0: "Unknown", other: "Other"},
	classAccountChange: {
		0: "Unknown", 1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable", 6: "Delete", 7: "Attach Policy", 8: "Detach Policy", 9: "Lock",
		10: "MFA Factor Enable", 11: "MFA Factor Disable", 12: "Unlock", other: "Other",
	},
	classAuthentication: {
		0: "Unknown", 1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 4: "Service Ticket Request", 5: "Service Ticket Renew", 6: "Preauth", 7: "Account Switch", other: "Other",
	},
	classEntity: {
		0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 5: "Move", 6: "Enroll", 7: "Unenroll", 8: "Enable", 9: "Disable", 10: "Activate", 11: "Deactivate",
		12: "Suspend", 13: "Resume", other: "Other",
	},
	classUserAccess: {0: "Unknown", 1: "Assign Privileges", 2: "Revoke Privileges", other: "Other"},
	classGroup: {
		0: "Unknown", 1: "Assign Privileges", 2: "Revoke Privileges", 3: "Add User", 4: "Remove User", 5: "Delete", 6: "Create", 7: "Add Subgroup", 8: "Remove Subgroup", other: "Other",
	},
	classAPI: {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", other: "Other"},
}

// ocsf19 are those of OCSF 1.9.0.
var ocsf19 = func() map[uint16]map[uint8]string {
	m := maps.Clone(ocsf18)
	m[classGroup] = maps.Clone(m[classGroup])
	m[classGroup][9] = "Update"
	m[classUserManagement] = map[uint8]string{
		0: "Unknown", 1: "Create", 2: "Update", 3: "Delete", 4: "Enable", 5: "Disable", 6: "Lock", 7: "Unlock", 8: "Password Change", 9: "Password Reset",
		10: "Attach Policies", 11: "Detach Policies", 12: "Enable MFA Factors", 13: "Disable MFA Factors", 14: "Assign Privileges", 15: "Remove Privileges",
		16: "Assign Roles", 17: "Remove Roles", 18: "Add Programmatic Credentials", 19: "Remove Programmatic Credentials", other: "Other",
	}
	m[classRole] = map[uint8]string{
		0: "Unknown", 1: "Create", 2: "Update", 3: "Delete", 4: "Assign Privileges", 5: "Remove Privileges", 6: "Assign Resources", 7: "Remove Resources",
		8: "Attach Policies", 9: "Detach Policies", 10: "Add Programmatic Credentials", 11: "Remove Programmatic Credentials", other: "Other",
	}
	return m
}()

// ecsTypes are the values of event.type that ECS expects of each event.category in use.
var ecsTypes = map[string][]string{
	"api":            {"access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"},
	"authentication": {"start", "end", "info"},
	"configuration":  {"access", "change", "creation", "deletion", "info"},
	"iam":            {"admin", "change", "creation", "deletion", "group", "info", "user"},
	"process":        {"access", "change", "end", "info", "start"},
	"session":        {"start", "end", "info"},
	"web":            {"access", "error", "info"},
}

// ecsPairs reports what is wrong with categories and types: each type must be
// one that a category expects.
func ecsPairs(category, kinds []string) error {
	var allowed []string
	for _, c := range category {
		types, ok := ecsTypes[c]
		if !ok {
			return fmt.Errorf("category %q: use one of %s", c, strings.Join(slices.Sorted(maps.Keys(ecsTypes)), ", "))
		}
		allowed = append(allowed, types...)
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
	for _, k := range kinds {
		if !slices.Contains(allowed, k) {
			return fmt.Errorf("type %q does not go with category %s: use one of %s", k, strings.Join(category, ", "), strings.Join(allowed, ", "))
		}
	}
	return nil
}

// class is the class of a. Where it requires a user and none is known, it is
// that of a changed entity.
func (w *Writer) class(a *Activity) Class {
	c := a.Row.OCSF
	if w.opts.OCSF19 {
		c = a.Row.OCSF19
	}
	switch c.Class {
	case classAuthentication, classAccountChange, classUserAccess, classUserManagement:
		if !a.User.known() && !a.Row.own {
			return Class{classEntity, 3, "Update"}
		}
		if c.Class == classAuthentication && a.Impersonated {
			return Class{classAuthentication, 7, "Account Switch"}
		}
	case classAPI:
		return apiActivity(a, c)
	}
	return c
}

// apiActivity tells by the verb of a method what it does.
func apiActivity(a *Activity, c Class) Class {
	_, method, found := cutLast(a.Call.Operation, '/')
	if !found || a.Call.Protocol == "http" {
		return c
	}
	for _, verb := range [...]struct {
		prefix string
		class  Class
	}{
		{"Add", Class{classAPI, 1, "Create"}}, {"Create", Class{classAPI, 1, "Create"}}, {"Register", Class{classAPI, 1, "Create"}},
		{"Get", Class{classAPI, 2, "Read"}}, {"List", Class{classAPI, 2, "Read"}}, {"Search", Class{classAPI, 2, "Read"}},
		{"Update", Class{classAPI, 3, "Update"}}, {"Set", Class{classAPI, 3, "Update"}}, {"Change", Class{classAPI, 3, "Update"}},
		{"Remove", Class{classAPI, 4, "Delete"}}, {"Delete", Class{classAPI, 4, "Delete"}},
	} {
		if strings.HasPrefix(method, verb.prefix) {
			return verb.class
		}
	}
	return c
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
