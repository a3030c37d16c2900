package events

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The dates of what one set has more than another follow from the sums, if they are few; and
// never come wrong ones.
func TestSums_DatesOfLateEventsFollowFromTheDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var known, all sums
		isLate := map[uint64]bool{}
		date := func(n int) uint64 { return dateHash(epoch.Add(time.Duration(n) * time.Microsecond)) }
		for n := range rapid.IntRange(0, 300).Draw(t, "known") {
			for range 1 + n%3 {
				known.add(date(n))
				all.add(date(n))
			}
		}
		late := rapid.IntRange(1, 8).Draw(t, "late dates")
		for n := range late {
			isLate[date(1000+n)] = true
			for range rapid.SampledFrom([]int{1, 2, 7, 500}).Draw(t, "events") {
				all.add(date(1000 + n))
			}
		}
		dates, ok := changed(all, known)
		fewer := rapid.Bool().Draw(t, "the other way round")
		if fewer {
			dates, ok = changed(known, all)
		}
		if ok != (late <= lateDates) {
			t.Fatalf("%d late dates: found %v", late, ok)
		}
		for n := range 1500 {
			if d := date(n); ok && dates.more(d) != (isLate[d] && !fewer) {
				t.Fatalf("date %d of %d late ones: %v", n, late, dates.more(d))
			}
		}
	})
}

// Events that are known and not shown, beside late ones: only the dates of the late ones count.
func TestSums_LateEventsBesideMissingOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var known, shown sums
		n := rapid.IntRange(1, lateDates).Draw(t, "dates")
		more := map[uint64]bool{}
		for i := range n {
			date := dateHash(epoch.Add(time.Duration(i) * time.Second))
			was, is := rapid.IntRange(0, 9).Draw(t, "was"), rapid.IntRange(0, 9).Draw(t, "is")
			for range was {
				known.add(date)
			}
			for range is {
				shown.add(date)
			}
			more[date] = is > was
		}
		dates, ok := changed(shown, known)
		if !ok {
			t.Fatal("not found")
		}
		for date, want := range more {
			if dates.more(date) != want {
				t.Fatalf("more is %v, want %v", !want, want)
			}
		}
	})
}

func TestSums_DoNotDependOnTheOrder(t *testing.T) {
	var up, down sums
	for n := range 1000 {
		up.add(dateHash(epoch.Add(time.Duration(n) * time.Second)))
		down.add(dateHash(epoch.Add(time.Duration(999-n) * time.Second)))
	}
	if up != down || up == (sums{n: 1000}) {
		t.Errorf("%v and %v", up, down)
	}
}
