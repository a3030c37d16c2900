package config

import (
	"slices"
	"strings"
)

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}

// maxCompared bounds what is worth comparing: no name is longer.
const maxCompared = 128

// Nearest returns the candidate with the smallest edit distance to s; "" if all are
// further away than a third of its length and 2.
func Nearest(s string, candidates []string) string {
	if s == "" || len(s) > maxCompared {
		return ""
	}
	s = strings.ToLower(s)
	best, at := "", max(2, len(s)/3)+1
	for _, c := range candidates {
		if d := distance(s, strings.ToLower(c)); d < at && d < len(c) {
			best, at = c, d
		}
	}
	return best
}

// NearestOption returns the option that a wrong name most likely means, by
// Meant first and edit distance second; "" where none is near.
func (os Options) NearestOption(name string) string {
	if o := os.Meant(name); o != "" {
		return o
	}
	return Nearest(name, os.Names())
}

// Names returns the names of the options.
func (os Options) Names() (names []string) {
	for _, o := range os {
		names = append(names, o.Name)
	}
	return names
}

// Meant returns the option for another spelling (token-file, tokenFile) or
// another product's word (api_token); "" where there is none.
func (os Options) Meant(name string) string {
	norm := normal(name)
	for _, o := range os {
		if normal(o.Name) == norm || slices.ContainsFunc(o.also, func(a string) bool { return normal(a) == norm }) {
			return o.Name
		}
	}
	return ""
}

// normal makes camelCase, kebab-case, dots and plain spelling the same.
func normal(name string) string { return strings.ToLower(joints.Replace(name)) }

// joints is made once. A replacer for each call cost 128 MB and 0.1 s when the tables
// were built, which every program and plugin does before its first line.
var joints = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// misspellings returns the wrong names worth asking a host for that only
// answers by name, each with the option it means: known wrong names, other
// ways to join words, a letter left out, doubled or swapped. About 2,600 for
// the input, in a fixed order.
func (os Options) misspellings() []misspelling {
	known := map[string]bool{}
	for _, o := range os {
		known[o.Name] = true
	}
	var list []misspelling
	add := func(wrong, right string) {
		if wrong != "" && !known[wrong] {
			known[wrong] = true
			list = append(list, misspelling{wrong, right})
		}
	}
	for _, o := range os {
		for _, a := range o.also {
			add(a, o.Name)
		}
	}
	for _, o := range os {
		for _, a := range append([]string{o.Name}, o.also...) {
			add(strings.ReplaceAll(a, "_", ""), o.Name)
			add(strings.ReplaceAll(a, "_", "-"), o.Name)
			add(strings.ReplaceAll(a, "_", "."), o.Name)
		}
		add(o.Name+"s", o.Name)
		add(strings.TrimSuffix(o.Name, "s"), o.Name)
	}
	for _, o := range os {
		n := o.Name
		if len(n) < 4 {
			continue // "url" and "end" less a letter are no words of ours
		}
		for i := range n {
			add(n[:i]+n[i+1:], o.Name)
			add(n[:i+1]+n[i:], o.Name)
			if i+1 < len(n) {
				add(n[:i]+n[i+1:i+2]+n[i:i+1]+n[i+2:], o.Name)
			}
		}
	}
	return list
}

type misspelling struct{ wrong, right string }
