package guardrails

import (
	"fmt"

	"github.com/hopgate/hopgate/policy"
)

// unfit complains of rules whose action does not fit what they are for, or whose keys do not fit their action.
func unfit(p *Profile) (wrong policy.Complaints) {
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Scope != 0 && r.Do != Hash {
			wrong = append(wrong, policy.Complaint{At: r.At, Text: fmt.Sprintf("scope is for do: hash, and the rule says do: %s", r.Do), Hint: "remove scope"})
		}
		if r.Restore != nil && r.Do != Tokenize {
			wrong = append(wrong, policy.Complaint{At: r.At, Text: fmt.Sprintf("restore is for do: tokenize, and the rule says do: %s", r.Do), Hint: "remove restore"})
		}
		if r.Do == Hold && r.In != result {
			wrong = append(wrong, policy.Complaint{At: r.At, Text: "only results can be held", Hint: "add in: result"})
		}
		if r.Keep != 0 && r.Do != Tokenize && r.Do != Hold {
			wrong = append(wrong, policy.Complaint{At: r.At, Text: fmt.Sprintf("keep is for do: tokenize and do: hold, and the rule says do: %s", r.Do), Hint: "remove keep"})
		} else if r.Keep != 0 && (r.Keep < keepLeast || r.Keep > keepMost) {
			wrong = append(wrong, policy.Complaint{At: r.At, Text: "keep is 1m to 90d"})
		}
		if r.Do == Surrogate {
			wrong = append(wrong, noImitation(r)...)
		}
	}
	return wrong
}

// noImitation complains of what surrogates are wanted of and cannot be made of.
func noImitation(r *Rule) (wrong policy.Complaints) {
	for i := range r.Find {
		f := &r.Find[i]
		entity := entityOf(f.Known)
		_, kind := kindOf(f.Known)
		switch {
		case f.Known == "" || entity == "" && !kind:
			wrong = append(wrong, policy.Complaint{At: f.At, Text: "no surrogate can be made of what a rule of your own finds", Hint: "write do: redact or do: hash"})
		case kind:
			wrong = append(wrong, policy.Complaint{At: f.At, Text: fmt.Sprintf("no surrogate can be made of everything that is %s", f.Known), Hint: "name what is to have surrogates, like [card, iban, email, phone, us-ssn], and redact the rest"})
		case !imitable(entity):
			wrong = append(wrong, policy.Complaint{At: f.At, Text: fmt.Sprintf("no surrogate can be made of %s: any value of its form would be found again", f.Known), Hint: "write do: redact or do: hash"})
		}
	}
	return wrong
}
