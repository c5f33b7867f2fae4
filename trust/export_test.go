package trust

import "slices"

// Hooks into the arithmetic and the encodings, which nothing outside needs to see.
var (
	// TestOnlySteps returns the table of powers, 2^(-i/256) in Q63.
	TestOnlySteps = func() []uint64 { return steps[:] }

	// TestOnlyExp2 returns 2^-x in Q63, for x in Q64.
	TestOnlyExp2 = exp2

	// TestOnlyFade returns what is left of x after a time, rounded down and up. Both times are in seconds.
	TestOnlyFade = func(x, elapsed, half uint64) (down, up uint64) {
		f := fade(elapsed, half)
		return f.of(x), f.up(x, 0)
	}

	// TestOnlyRead reads a record and returns its encoding, or false where it is damaged.
	TestOnlyRead = func(key, value []byte) ([]byte, bool) {
		r, err := readRecord(key, value)
		if err != nil {
			return nil, false
		}
		return r.append(nil, key), true
	}

	// TestOnlySeal appends the sum that a value ends with.
	TestOnlySeal = func(key, body []byte) []byte { return seal(slices.Clip(body), 0, key) }

	// TestOnlyReadRules reads parameters and returns their encoding, or false where they are damaged.
	TestOnlyReadRules = func(value []byte) ([]byte, bool) {
		r, err := readRules(value)
		if err != nil {
			return nil, false
		}
		return r.encode(), true
	}
)
