package configs

import (
	"fmt"

	"github.com/hopgate/hopgate/policy"
)

// didYouMean returns a question that names the known name nearest to one that is not known, or nothing where none is
// near enough to be what was meant.
func didYouMean(name string, known []string) string {
	if best := policy.Nearest(name, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}
