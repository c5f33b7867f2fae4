//go:build !race

package guardrails_test

const raceEnabled = false
