package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A valueError says why a value is refused and what would be right.
type valueError struct{ why, fix string }

func (e *valueError) Error() string { return e.why + "; " + e.fix }

var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// durationWords are what people write for a unit, to suggest the right one.
var durationWords = map[string]string{
	"sec": "s", "secs": "s", "second": "s", "seconds": "s",
	"min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h",
	"day": "d", "days": "d", "week": "w", "weeks": "w",
	"millis": "ms", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
}

var durationPart = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)`)

// parseDuration reads Go's and Fluent Bit's durations: 500ms, 5s, 1h30m, 7d,
// and a plain number as seconds.
func parseDuration(v string) (time.Duration, error) {
	if strings.HasPrefix(v, "-") {
		return 0, &valueError{"is negative", ""}
	}
	if sec, ok := plainNumber(v); ok {
		return scaled(sec, time.Second)
	}
	var total time.Duration
	rest := strings.ToLower(v)
	for rest != "" {
		m := durationPart.FindStringSubmatchIndex(rest)
		if m == nil || m[0] != 0 {
			return 0, durationShape(v)
		}
		unit, ok := durationUnits[rest[m[4]:m[5]]]
		if !ok || m[3] != m[4] { // no space before the unit
			return 0, durationShape(v)
		}
		n, _ := strconv.ParseFloat(rest[m[2]:m[3]], 64)
		part, err := scaled(n, unit)
		if err != nil {
			return 0, err
		}
		if total += part; total < 0 {
			return 0, &valueError{"is too long", ""}
		}
		rest = rest[m[1]:]
	}
	if v == "" {
		return 0, durationShape(v)
	}
	return total, nil
}

func durationShape(v string) error {
	fix := didYouMean(guessDuration(v))
	return &valueError{"is not a duration such as 500ms, 5s, 1h30m or 7d", fix}
}

// guessDuration makes a duration of "5 minutes", "2hours" or "24h ago".
func guessDuration(v string) string {
	var b strings.Builder
	for _, m := range durationPart.FindAllStringSubmatch(strings.ToLower(v), 8) {
		unit := m[2]
		if word, ok := durationWords[unit]; ok {
			unit = word
		}
		if _, ok := durationUnits[unit]; !ok {
			return ""
		}
		b.WriteString(m[1] + unit)
	}
	if b.String() == v {
		return ""
	}
	return b.String()
}

func scaled(n float64, unit time.Duration) (time.Duration, error) {
	d := n * float64(unit)
	if d >= math.MaxInt64 {
		return 0, &valueError{"is too long", ""}
	}
	return time.Duration(math.Round(d)), nil
}

// plainNumber reads digits with at most one point; no sign, exponent or hex.
func plainNumber(v string) (float64, bool) {
	m := durationPart.FindStringSubmatch(v)
	if m == nil || m[1] != v {
		return 0, false
	}
	n, err := strconv.ParseFloat(v, 64)
	return n, err == nil
}

var sizeShape = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)$`)

// parseSize reads sizes as Fluent Bit does (flb_utils_size_to_bytes): decimal
// units K, M, G with or without B, whatever the case.
func parseSize(v string) (int, error) {
	m := sizeShape.FindStringSubmatch(v)
	if m == nil {
		return 0, &valueError{"is not a size such as 512k, 16M or 1G", ""}
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	unit := strings.ToUpper(m[2])
	scale, ok := map[string]float64{"": 1, "K": 1e3, "KB": 1e3, "M": 1e6, "MB": 1e6, "G": 1e9, "GB": 1e9}[unit]
	if !ok || len(m[1])+len(m[2]) != len(v) {
		fix := ""
		if unit != "" && strings.Contains("KMG", unit[:1]) {
			fix = "did you mean " + m[1] + unit[:1] + "?"
		}
		return 0, &valueError{"is not a size such as 512k, 16M or 1G", fix}
	}
	if n*scale >= math.MaxInt {
		return 0, &valueError{"is too large", ""}
	}
	return int(n * scale), nil
}

func parseNumber(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil {
		digits := strings.NewReplacer(",", "", "_", "", ".", "", " ", "").Replace(v)
		if _, again := strconv.Atoi(digits); again == nil && digits != v {
			return 0, &valueError{"is not a whole number", "did you mean " + digits + "?"}
		}
		return 0, &valueError{"is not a whole number", ""}
	}
	return n, nil
}

// switchWords are what Fluent Bit takes (flb_utils_bool).
var switchWords = map[string]bool{"on": true, "true": true, "yes": true, "off": false, "false": false, "no": false}

// switchGuesses are what it does not take, with what is meant.
var switchGuesses = map[string]string{
	"1": "on", "y": "on", "t": "on", "enable": "on", "enabled": "on", "active": "on",
	"0": "off", "n": "off", "f": "off", "disable": "off", "disabled": "off", "none": "off", "never": "off",
}

func parseSwitch(v string) (bool, error) {
	low := strings.ToLower(v)
	if on, ok := switchWords[low]; ok {
		return on, nil
	}
	guess := switchGuesses[low]
	if guess == "" {
		guess = Nearest(low, []string{"on", "off", "true", "false", "yes", "no"})
	}
	fix := ""
	if guess != "" {
		fix = "did you mean " + guess + "?"
	}
	return false, &valueError{"is not one of on, off, true, false, yes, no", fix}
}

func parseEnum(v string, values []string) (string, error) {
	for _, known := range values {
		if strings.EqualFold(v, known) {
			return known, nil
		}
	}
	fix := didYouMean(Nearest(v, values))
	return "", &valueError{"is not one of " + strings.Join(values, ", "), fix}
}

// parseList splits at commas, trims, and drops empty and repeated elements.
func parseList(v string) ([]string, error) {
	if strings.HasPrefix(v, "[") || strings.HasSuffix(v, "]") {
		bare := strings.NewReplacer("[", "", "]", "", `"`, "", "'", "").Replace(v)
		list, _ := parseList(bare)
		return nil, &valueError{"is not a list of plain words separated by commas", "write " + quote(strings.Join(list, ","))}
	}
	var list []string
	seen := map[string]bool{}
	for e := range strings.SplitSeq(v, ",") {
		if e = strings.TrimSpace(e); e != "" && !seen[e] {
			seen[e] = true
			list = append(list, e)
		}
	}
	if list == nil {
		return nil, &valueError{"contains only commas", ""}
	}
	return list, nil
}

func parseTime(v string, now time.Time) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err == nil {
		return t, nil
	}
	fix := "write it as " + now.UTC().Format(time.RFC3339)
	if guess := guessTime(v); guess != "" {
		fix = "did you mean " + guess + "?"
	}
	return time.Time{}, &valueError{"is not an RFC 3339 time", fix}
}

// guessTime completes a time that lacks its zone or its hours.
func guessTime(v string) string {
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
		"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04Z07:00", "2006/01/02", "02.01.2006", time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	if n, ok := plainNumber(v); ok && n >= 1e9 && n < 1e10 { // Unix seconds from 2001 to 2286
		return time.Unix(int64(n), 0).UTC().Format(time.RFC3339)
	}
	return ""
}

// startWords are other products' words for the two ends.
var startWords = map[string]string{
	"begin": "beginning", "start": "beginning", "earliest": "beginning", "oldest": "beginning", "first": "beginning",
	"head": "beginning", "all": "beginning", "zero": "beginning",
	"latest": "now", "tail": "now", "end": "now", "newest": "now", "last": "now", "today": "24h", "yesterday": "48h",
}

func parseStart(v string) (Start, error) {
	switch low := strings.ToLower(v); {
	case low == "beginning":
		return Start{Beginning: true}, nil
	case low == "now":
		return Start{Now: true}, nil
	case startWords[low] != "":
		return Start{}, &valueError{startShape, "did you mean " + startWords[low] + "?"}
	}
	if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return Start{At: t}, nil
	}
	if guess := guessTime(v); guess != "" {
		return Start{}, &valueError{startShape, "did you mean " + guess + "?"}
	}
	if _, ok := plainNumber(v); ok { // "24" as seconds back is what nobody means
		return Start{}, &valueError{"has no unit", "did you mean " + v + "h?"}
	}
	back, err := parseDuration(v)
	if err == nil && back == 0 {
		return Start{Now: true}, nil
	}
	if err == nil {
		return Start{Back: back}, nil
	}
	guess := guessDuration(v)
	if guess == "" {
		guess = Nearest(v, []string{"beginning", "now"})
	}
	if guess == "" {
		return Start{}, &valueError{startShape, ""}
	}
	return Start{}, &valueError{startShape, "did you mean " + guess + "?"}
}

const startShape = "is not beginning, now, an RFC 3339 time, or a duration such as 24h (that far back)"

// within compares a number of an option's own kind with its bounds.
func within[T int | time.Duration](o Option, v T, parse func(string) (T, error)) error {
	if o.Min == "" {
		return nil
	}
	lo, _ := parse(o.Min) // a test proves that all bounds parse
	hi, _ := parse(o.Max)
	if v < lo {
		return &valueError{fmt.Sprintf("is less than %s (%s)", o.Min, o.Bounds), fmt.Sprintf("the minimum is %s, the default %s", o.Min, o.Default)}
	}
	if v > hi {
		return &valueError{fmt.Sprintf("is more than %s (%s)", o.Max, o.Bounds), fmt.Sprintf("the maximum is %s, the default %s", o.Max, o.Default)}
	}
	return nil
}

// Bytes reads a size in Fluent Bit's syntax; it returns none for text that is not a size.
func Bytes(v string, none int) int {
	n, err := parseSize(v)
	if err != nil {
		return none
	}
	return n
}
