package detect

import (
	"regexp"
	"slices"
	"strings"
)

// Tactic is one of MITRE ATT&CK for enterprises.
type Tactic struct{ ID, Name string }

// tacticNames are Sigma's tags of the tactics, in the order of an attack.
var tacticNames = []struct {
	tag string
	Tactic
}{
	{"reconnaissance", Tactic{"TA0043", "Reconnaissance"}},
	{"resource-development", Tactic{"TA0042", "Resource Development"}},
	{"initial-access", Tactic{"TA0001", "Initial Access"}},
	{"execution", Tactic{"TA0002", "Execution"}},
	{"persistence", Tactic{"TA0003", "Persistence"}},
	{"privilege-escalation", Tactic{"TA0004", "Privilege Escalation"}},
	{"defense-evasion", Tactic{"TA0005", "Defense Evasion"}},
	{"credential-access", Tactic{"TA0006", "Credential Access"}},
	{"discovery", Tactic{"TA0007", "Discovery"}},
	{"lateral-movement", Tactic{"TA0008", "Lateral Movement"}},
	{"collection", Tactic{"TA0009", "Collection"}},
	{"command-and-control", Tactic{"TA0011", "Command and Control"}},
	{"exfiltration", Tactic{"TA0010", "Exfiltration"}},
	{"impact", Tactic{"TA0040", "Impact"}},
}

var techniqueTag = regexp.MustCompile(`^attack\.(t\d{4}(?:\.\d{3})?)$`)

// Attack returns the tactics and techniques that tags of Sigma name, such as
// attack.credential-access and attack.t1110.003.
func Attack(tags []string) (tactics []Tactic, techniques []string) {
	for _, tag := range tags {
		if m := techniqueTag.FindStringSubmatch(tag); m != nil {
			techniques = append(techniques, strings.ToUpper(m[1]))
			continue
		}
		name, ok := strings.CutPrefix(tag, "attack.")
		i := slices.IndexFunc(tacticNames, func(t struct {
			tag string
			Tactic
		}) bool {
			return t.tag == name
		})
		if ok && i >= 0 {
			tactics = append(tactics, tacticNames[i].Tactic)
		}
	}
	return tactics, techniques
}
