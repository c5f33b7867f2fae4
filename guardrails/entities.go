package guardrails

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// mediaEntity is what findings say that stand for a picture, a sound, a document or an archive.
const mediaEntity = "media"

// kindOf returns the kind that a name stands for.
func kindOf(name string) (detect.Kind, bool) {
	for k := detect.Secret; k <= detect.Hidden; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// short are the names that people use of what package detect calls otherwise.
var short = map[string]string{
	"card": "CREDIT_CARD", "email": "EMAIL_ADDRESS", "iban": "IBAN_CODE", "ip": "IP_ADDRESS", "mac": "MAC_ADDRESS",
	"phone": "PHONE_NUMBER", "wallet": "CRYPTO",
}

// names says what package detect calls each thing that people call by a name.
var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, e := range detect.Entities() {
		all[strings.ReplaceAll(strings.ToLower(e), "_", "-")] = e
	}
	all[ownEntity] = ownEntity
	maps.Copy(all, short)
	return all
})

// entityOf returns what package detect calls a name: card, us-ssn or github-token. It returns nothing for a name that it
// does not know.
func entityOf(name string) string { return names()[name] }

// nameOf returns what people call an entity. It holds letters, digits and dashes alone.
func nameOf(entity string) string {
	for s, e := range short {
		if e == entity {
			return s
		}
	}
	return strings.ReplaceAll(strings.ToLower(entity), "_", "-")
}

// knownNames are all names that entityOf and kindOf know.
func knownNames() []string {
	all := slices.Collect(maps.Keys(names()))
	for k := detect.Secret; k <= detect.Hidden; k++ {
		all = append(all, k.String())
	}
	return all
}

// suggest says which known name was probably meant, or nothing where none is near.
func suggest(name string, known []string) string {
	if best := policy.Nearest(name, known); best != "" {
		return `did you mean "` + best + `"?`
	}
	return ""
}
