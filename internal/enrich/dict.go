package enrich

// dict keeps values that many entries share, such as the domain of e-mail addresses and
// the id of an organisation, so that an entry needs two bytes for one. Values are never
// removed. When the dictionary is full, entries hold further values themselves.
type dict struct {
	byValue map[string]int
	values  []string
	bytes   int
	max     int
}

// dictCost is what a value costs beside its text: two string headers, a map's slot.
const dictCost = 64

func newDict(maxBytes int) *dict {
	return &dict{byValue: make(map[string]int), max: maxBytes}
}

// index returns the index of s. It adds s if there is room.
func (d *dict) index(s string) (i int, ok bool) {
	if d == nil || len(s) < 2 {
		return 0, false
	}
	if i, ok = d.byValue[s]; ok {
		return i, true
	}
	cost := len(s) + dictCost
	if d.bytes+cost > d.max {
		return 0, false
	}
	s = string([]byte(s)) // not a part of something larger
	d.bytes += cost
	d.byValue[s] = len(d.values)
	d.values = append(d.values, s)
	return len(d.values) - 1, true
}

func (d *dict) value(i uint64) (string, bool) {
	if d == nil || i >= uint64(len(d.values)) {
		return "", false
	}
	return d.values[i], true
}
