package detect

import "strings"

// slots are the fields that the rules read, each with a number, as a tree of names. A
// record is walked once, and only along this tree.
type slots struct {
	root   name
	number map[string]int
	names  []string
}

type name struct {
	text string
	slot int // -1: the rules read only what is below
	kids []*name
}

// These are the fields that the engine itself reads. Their numbers are fixed.
const (
	slotAction = iota
	slotID
	slotTime
	slotKind
	slotUserID
	slotUserName
	slotUserEmail
	slotUserFull
	slotTargetID
	slotTargetName
	slotEffectiveID
	slotEffectiveName
	slotIP
	slotAddress
	slotAgent
	slotOrgID
	slotOrgName
	slotInstance
	slotSystem
)

var ownFields = [...]string{
	slotAction: "event.action", slotID: "event.id", slotTime: "@timestamp", slotKind: "event.kind", slotUserID: "user.id", slotUserName: "user.name",
	slotUserEmail: "user.email", slotUserFull: "user.full_name", slotTargetID: "user.target.id", slotTargetName: "user.target.name",
	slotEffectiveID: "user.effective.id", slotEffectiveName: "user.effective.name", slotIP: "source.ip", slotAddress: "source.address",
	slotAgent: "user_agent.original", slotOrgID: "organization.id", slotOrgName: "organization.name", slotInstance: "zitadel.instance",
	slotSystem: "zitadel.actor.system",
}

func newSlots() *slots {
	s := &slots{root: name{slot: -1}, number: map[string]int{}}
	for _, f := range ownFields {
		s.slot(f)
	}
	return s
}

// slot returns the number of a field.
func (s *slots) slot(field string) int {
	if i, ok := s.number[field]; ok {
		return i
	}
	at := &s.root
	for part := range strings.SplitSeq(field, ".") {
		next := at.kid(part)
		if next == nil {
			next = &name{text: part, slot: -1}
			at.kids = append(at.kids, next)
		}
		at = next
	}
	at.slot = len(s.names)
	s.number[field] = at.slot
	s.names = append(s.names, field)
	return at.slot
}

func (n *name) kid(text string) *name {
	for _, k := range n.kids {
		if k.text == text {
			return k
		}
	}
	return nil
}

// fields are the values of one record. They are valid until the next record is read.
type fields struct {
	values [][]value // by slot
	set    []int     // slots that have values
}

func (f *fields) reset(n int) {
	if len(f.values) < n {
		f.values = make([][]value, n)
	}
	for _, i := range f.set {
		f.values[i] = f.values[i][:0]
	}
	f.set = f.set[:0]
}

func (f *fields) add(n *name, v value) {
	if n.slot < 0 {
		return
	}
	if len(f.values[n.slot]) == 0 {
		f.set = append(f.set, n.slot)
	}
	f.values[n.slot] = append(f.values[n.slot], v)
}

// about sets the instance where there is no record.
func (f *fields) about(instance string) {
	if instance != "" {
		f.values[slotInstance] = append(f.values[slotInstance], value{isText, instance})
		f.set = append(f.set, slotInstance)
	}
}

// text is the first value of a slot as a text, or "".
func (f *fields) text(slot int) string {
	if slot < 0 || len(f.values[slot]) == 0 {
		return ""
	}
	return f.values[slot][0].text()
}
