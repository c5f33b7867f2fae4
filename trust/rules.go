package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/policy"
)

// rules are the parameters of the score. They are comparable.
type rules struct {
	start       uint64 // points
	penaltyLife uint64 // seconds, as the other two
	creditLife  uint64
	eventLife   uint64
	perDay      uint64             // credits
	earn        [classes]uint64    // credits for a success, Q32
	weight      [severities]uint64 // of a violation, Q48
}

// severities counts those of policy.
const severities = policy.Critical + 1

// defaultRules are what holds where the configuration says nothing.
func defaultRules() rules {
	return rules{
		start: 500, penaltyLife: 7 * day, creditLife: 30 * day, eventLife: day, perDay: 20,
		earn: [classes]uint64{read: unit / 50, write: unit / 5, destructive: unit},
		weight: [severities]uint64{
			policy.Low: penaltyOne / 10, policy.Medium: penaltyOne / 2, policy.High: penaltyOne + penaltyOne/2, policy.Critical: 4 * penaltyOne,
		},
	}
}

// rulesVersion is the version of their encoding, and of the formula that they are for.
const rulesVersion = 1

// encode writes the parameters, with a sum at the end.
func (r *rules) encode() []byte {
	dst := []byte{rulesVersion}
	for _, x := range r.numbers() {
		dst = binary.AppendUvarint(dst, *x)
	}
	return seal(dst, 0, []byte(rulesKey))
}

// version is that of the formula, and a digest of the parameters.
func (r *rules) version() string {
	digest := sha256.Sum256(r.encode())
	return fmt.Sprintf("%d-%x", rulesVersion, digest[:4])
}

// numbers are the parameters in the order of their encoding.
func (r *rules) numbers() []*uint64 {
	all := []*uint64{&r.start, &r.penaltyLife, &r.creditLife, &r.eventLife, &r.perDay}
	for i := range r.earn {
		all = append(all, &r.earn[i])
	}
	for i := range r.weight {
		all = append(all, &r.weight[i])
	}
	return all
}

var errRules = errors.New("the parameters are damaged")

// readRules reads what encode wrote, and nothing else.
func readRules(b []byte) (rules, error) {
	body, ok := unseal(b, []byte(rulesKey))
	if !ok {
		return rules{}, errRules
	}
	d := decoder{rest: body}
	var r rules
	d.exactly(rulesVersion)
	for _, x := range r.numbers() {
		*x = d.number(1 << 62)
	}
	if !d.end() || !r.sound() || !bytes.Equal(r.encode(), b) {
		return rules{}, errRules
	}
	return r, nil
}

// sound reports whether the arithmetic stays within its bounds.
func (r *rules) sound() bool {
	for _, life := range []uint64{r.penaltyLife, r.creditLife, r.eventLife} {
		if life == 0 || life > lifeMost {
			return false
		}
	}
	for _, x := range r.earn {
		if x > unit {
			return false
		}
	}
	for _, x := range r.weight {
		if x > penaltyMost {
			return false
		}
	}
	return r.start < most && r.perDay <= perDayMost
}
