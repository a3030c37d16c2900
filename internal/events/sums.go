package events

import (
	"math/bits"
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// sums describe a set of events in constant memory: how many they are, and the sums of the
// powers 1 to 8 of the hashes of their creation dates. The order of the events does not matter.
//
// The idea, with one late event: if 5 numbers were read, and later 6 are shown, the difference of
// the two sums is the new number itself. Nobody has to remember the 5.
//
//	read      3  8  8 20 41       number 5   sum  80
//	shown     3  8  8 20 27 41    number 6   sum 107
//	                              new    1        27
//
// With two new numbers, their sum does not tell them apart, but their sum and the sum of their
// squares do, and so on: two sums for each new number that differs. The events of a transaction
// have one date and become visible together, so a late transaction is one new number, which
// may be there several times. Eight sums name up to [lateDates] of them: see [changed].
//
// The sums of two sets also differ if more than that is late, because the numbers of events do.
// Then it is known that something is late, but not what.
type sums struct {
	n     uint64
	power [cursor.Sums]uint64
}

// lateDates is half of the number of sums: a date is two unknowns, its hash and its number of
// events.
const lateDates = cursor.Sums / 2

// prime is 2^61-1. Sums are modulo it: a prime, because changed divides, and of this form,
// because a remainder by it costs no division.
const prime = 1<<61 - 1

// dateHash is stable, because sums are in the state. It is the mixer of SplitMix64.
func dateHash(date time.Time) uint64 {
	x := uint64(date.UnixMicro()) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return reduce(x ^ x>>31)
}

// add adds an event. date is the hash of its creation date.
func (s *sums) add(date uint64) {
	s.n++
	for i, x := 0, date; i < len(s.power); i++ {
		s.power[i] = plus(s.power[i], x)
		x = times(x, date)
	}
}

// dates are those of which two sets have different numbers of events.
type dates struct {
	polynomial []uint64 // its roots are the hashes; coefficients from the lowest on, the highest is 1
	sums       []uint64 // of powers 0, 1, ..., as many as there are dates
}

// changed returns the dates of which two sets have different numbers of events; false if they are
// more than [lateDates].
//
// It takes three steps.
//  1. Subtract the sums of one set from those of the other one. What both sets have is gone. If one
//     set has m[k] events more of the date with the hash x[k], the difference for the power j is
//     d[j] = m[1]*x[1]^j + m[2]*x[2]^j + ... With n for the power 0, there are nine of them.
//  2. Such a sequence is a linear recurrence: each d[j] is c[1]*d[j-1] + c[2]*d[j-2] + ..., with as
//     many c as there are dates. Berlekamp and Massey's algorithm finds the shortest recurrence.
//     It keeps one, and mends it with an earlier one wherever it misses the next number.
//  3. The dates are the roots of its polynomial z^k - c[1]*z^(k-1) - ... Nobody solves it: each
//     event that is read again is put in ([dates.more]). If it is 0, its date has changed.
//
// Five dates never pass for fewer, because a determinant of the nine sums is not zero then. Six or
// more do with a probability of 2^-61.
//
// Reference: J. L. Massey, Shift-register synthesis and BCH decoding, IEEE Transactions on
// Information Theory 15 (1969). Decoders of Reed-Solomon codes find errors in the same way.
func changed(a, b sums) (dates, bool) {
	sequence := []uint64{plus(reduce(a.n), prime-reduce(b.n))}
	for i := range a.power {
		sequence = append(sequence, plus(a.power[i], prime-b.power[i]))
	}
	current, before := []uint64{1}, []uint64{1}
	length, shift, last := 0, 1, uint64(1)
	for n := range sequence {
		var off uint64 // by how much the recurrence so far misses the next sum
		for i, c := range current {
			if i <= n {
				off = plus(off, times(c, sequence[n-i]))
			}
		}
		if off == 0 {
			shift++
			continue
		}
		factor := times(off, inverse(last))
		next := make([]uint64, max(len(current), len(before)+shift))
		copy(next, current)
		for i, c := range before {
			next[i+shift] = plus(next[i+shift], prime-times(factor, c))
		}
		if 2*length <= n {
			length, before, last, shift = n+1-length, current, off, 1
		} else {
			shift++
		}
		current = next
	}
	if length > lateDates {
		return dates{}, false
	}
	d := dates{make([]uint64, length+1), sequence[:length]}
	for i, c := range current[:min(len(current), length+1)] {
		d.polynomial[length-i] = c
	}
	return d, true
}

// more reports whether the first set has more events of a date than the second one.
//
// If x is the root x[k], the quotient Q of the polynomial and z-x is 0 at all other roots. So the
// sums of powers, each times the coefficient of Q, add up to m[k]*Q(x).
func (d dates) more(x uint64) bool {
	q := make([]uint64, 0, lateDates) // coefficients from the highest on
	rest := uint64(0)
	for _, c := range slices.Backward(d.polynomial) {
		if rest = plus(times(rest, x), c); len(q) < len(d.sums) {
			q = append(q, rest)
		}
	}
	if rest != 0 || len(q) == 0 {
		return false // no root
	}
	var sum, at uint64
	for i, c := range q {
		sum = plus(sum, times(c, d.sums[len(q)-1-i]))
		at = plus(times(at, x), c)
	}
	m := times(sum, inverse(at))
	return m > 0 && m < prime/2 // a negative number is close to prime
}

// reduce returns x modulo prime.
func reduce(x uint64) uint64 {
	x = x&prime + x>>61
	if x >= prime {
		x -= prime
	}
	return x
}

func plus(a, b uint64) uint64 { return reduce(a + b) }

func times(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return reduce(lo&prime + (lo>>61 | hi<<3))
}

// inverse is a to the power of prime-2 (Fermat).
func inverse(a uint64) uint64 {
	r := uint64(1)
	for e := uint64(prime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			r = times(r, a)
		}
		a = times(a, a)
	}
	return r
}
