package configs

import (
	"net/url"

	"github.com/hopgate/hopgate/policy"
)

// credentials are the values by which upstreams know Hopgate. The closure is the only way from policy to what is in a Secret.
func credentials(all []*Upstream) *policy.Credentials {
	return policy.NewCredentials(func(yield func(policy.Credential)) {
		for _, u := range all {
			for _, h := range u.Headers {
				yield(policy.Credential{Name: h.Name, Value: h.Value.Reveal(), Likely: secretive(h.Name) || !h.Value.literal})
			}
			for _, v := range u.Env {
				yield(policy.Credential{Name: v.Name, Value: v.Value.Reveal(), Likely: secretive(v.Name)})
			}
			if a := u.OAuth; a != nil && a.Secret.Reveal() != "" {
				yield(policy.Credential{Name: "client_secret", Value: a.Secret.Reveal(), Likely: true})
			}
			before := ""
			for _, part := range u.Command {
				yield(policy.Credential{Before: before, Value: part, Likely: secretive(before)})
				before = part
			}
			inURL(u.URL, yield)
		}
	})
}

// inURL yields what the query of a URL holds.
func inURL(raw string, yield func(policy.Credential)) {
	parsed, err := url.Parse(raw)
	if err != nil {
		return // it is reported already
	}
	for name, values := range parsed.Query() {
		for _, v := range values {
			yield(policy.Credential{Name: name, Value: v, Likely: secretive(name)})
		}
	}
}
