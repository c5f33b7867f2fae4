package trust

import (
	"math/big"
	"math/bits"
)

// one is 1 in Q63: a fraction of 63 bits behind the point.
const one = 1 << 63

// ln2 is the natural logarithm of 2 in Q64.
const ln2 = 0xB17217F7D1CF79AB

// steps are 2^(-i/256) in Q63, rounded down.
var steps = func() (table [257]uint64) {
	const precision = 256 // bits; the products below lose fewer than 20 of them
	root := big.NewFloat(0.5).SetPrec(precision)
	for range 8 {
		root.Sqrt(root)
	}
	x := new(big.Float).SetPrec(precision).SetUint64(one)
	for i := range table {
		table[i], _ = x.Uint64()
		x.Mul(x, root)
	}
	// The halving is exact, which repeated roots miss by their last bit.
	table[256] = one / 2
	return table
}()

// mul multiplies by a fraction in Q63, rounding down.
func mul(x, fraction uint64) uint64 {
	hi, lo := bits.Mul64(x, fraction)
	return hi<<1 | lo>>63
}

// exp2 returns 2^-x in Q63, for x in Q64. It is off by less than 2^-49 of the result.
func exp2(x uint64) uint64 {
	const rest = 1<<56 - 1
	// What the table leaves is below 1/256, where four terms of the exponential series do.
	y, _ := bits.Mul64(x&rest, ln2)
	y >>= 1
	t := one - y/4
	t = one - mul(y/3, t)
	t = one - mul(y/2, t)
	t = one - mul(y, t)
	return mul(steps[x>>56], t)
}

// fading is what is left of anything after a time: fraction in Q63, halved so many times.
type fading struct {
	fraction uint64
	halvings uint64
}

// fade returns 2^(-elapsed/half). half is above 0.
func fade(elapsed, half uint64) fading {
	rest, _ := bits.Div64(elapsed%half, 0, half)
	return fading{exp2(rest), elapsed / half}
}

// of returns what is left of x, rounded down.
func (f fading) of(x uint64) uint64 {
	return mul(x, f.fraction) >> f.halvings
}

// up is of rounded up. What is at or below dust becomes 0, so that nothing lingers for its last bit.
func (f fading) up(x, dust uint64) uint64 {
	if x == 0 {
		return 0
	}
	if x = min(x, f.of(x)+1); x <= dust {
		return 0
	}
	return x
}
