package stats

import (
	"math/bits"
	"time"
)

// Buckets are four to an octave: the first ends at 2^16 ns, about 66 us, the last but one at 2^38 ns, about 275 s, and the
// last has what is longer.
const (
	firstBit = 16
	lastBit  = 38
	buckets  = 4*(lastBit-firstBit) + 2
)

// histogram counts durations.
type histogram[N uint32 | uint64] [buckets]N

// bucket is where a duration counts.
func bucket(d time.Duration) int {
	if d < 1<<firstBit {
		return 0
	}
	n := uint64(d)
	high := bits.Len64(n) - 1
	quarter := int(n >> (high - 2) & 3)
	return min(4*(high-firstBit)+quarter+1, buckets-1)
}

// bound is the least duration of a bucket.
func bound(i int) time.Duration {
	if i == 0 {
		return 0
	}
	octave := time.Duration(1) << (firstBit + (i-1)/4)
	return octave + octave/4*time.Duration((i-1)%4)
}

// quantile is the duration that so many percent do not exceed, as if those of a bucket were spread evenly over it; 0 where
// nothing was counted.
func (h *histogram[N]) quantile(percent uint64) time.Duration {
	var all uint64
	for _, n := range h {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	rank := (all*percent + 99) / 100 // from 1
	for i, n := range h {
		if rank > uint64(n) {
			rank -= uint64(n)
			continue
		}
		low, high := bound(i), bound(i+1)
		return low + time.Duration(float64(high-low)*(float64(rank)-0.5)/float64(n))
	}
	return 0
}
