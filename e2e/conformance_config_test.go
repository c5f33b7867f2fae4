//go:build e2e

package e2e

import "strings"

// everyGate is a configuration in which every gate has something to check, and in which nothing is held back from an agent
// that behaves. The guardrails are those of the profile strict, but that pictures and sound pass, which nobody can read. The
// upstream is given as YAML: its url or command.
func everyGate(upstream string) string {
	return strings.Replace(`version: 1
listen:
  mcp: 127.0.0.1:0
currencies: { EUR: 1.08 USD }
orgs:
  house: { quota: 1000000/day, size: { per_day: 10GiB } }
teams:
  lab: { org: house, rate: 100000/min, spend: 10000 EUR/month }
agents:
  tester: { auth: key, team: lab, rate: 100000/min, concurrency: 200 }
guardrails:
  watchful:
    - { find: pii, in: args, do: block }
    - { find: pii, in: result, do: redact }
    - { find: [secret, injection, hidden], do: block }
upstreams:
  up:
    UPSTREAM
    tasks: { read: test_* }
    cost: { call: $0.001 }
connections:
  everything:
    from: tester
    to: up
    methods: ["*"]
    tools: ["*"]
    tasks: [read, unclassified]
    when: agent.name == "tester"
    prompts: ["*"]
    resources: ["*"]
    models: ["*"]
    sampling: allow
    elicitation: allow
    roots: allow
    trust: 50
    hours: 00:00-24:00
    size: { args: 1MiB, result: 10MiB }
    rate: 100000/min
    concurrency: 100
    quota: 100000/day
    spend: 1000 EUR/month
    guard: watchful
    taint: 30m
`, "UPSTREAM", upstream, 1)
}
