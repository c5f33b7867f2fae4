package policy

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

// DurationPattern is the regular expression that a duration matches as the configuration writes it: Go's notation, with d for
// 24 hours and w for 7 days, and without a sign.
const DurationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+$`

var durationForm = regexp.MustCompile(DurationPattern)

// ParseDuration reads a duration as the configuration writes it, of zero or more. Beyond 292 years it returns an error.
func ParseDuration(s string) (time.Duration, error) {
	if !durationForm.MatchString(s) {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	var sum int64 // nanoseconds
	for s != "" {
		i := strings.IndexFunc(s, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
		j := i + strings.IndexAny(s[i:]+"0", "0123456789")
		number, unit, factor := s[:i], s[i:j], int64(1)
		s = s[j:]
		switch unit {
		case "d":
			unit, factor = "h", 24
		case "w":
			unit, factor = "h", 7*24
		}
		part, err := time.ParseDuration(number + unit)
		if err != nil || part.Nanoseconds() > math.MaxInt64/factor || sum > math.MaxInt64-part.Nanoseconds()*factor {
			return 0, errors.New("the duration is too long")
		}
		sum += part.Nanoseconds() * factor
	}
	return time.Duration(sum), nil
}
