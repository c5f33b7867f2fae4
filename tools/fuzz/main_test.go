package main

import "testing"

func TestOnlyTheEndOfTimeIsTriedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		out  string
		want bool
	}{
		"the end of its time": {
			out:  "fuzz: elapsed: 2s, execs: 34081 (15994/sec)\n--- FAIL: FuzzA (2.13s)\n    context deadline exceeded\nFAIL\nexit status 1\n",
			want: true,
		},
		"an input that fails": {
			out: "--- FAIL: FuzzA (0.02s)\n    --- FAIL: FuzzA (0.00s)\n        a_test.go:7: wrong\n    \n    Failing input written to testdata/fuzz/FuzzA/1\nFAIL\n",
		},
		"an input that fails, and the end of time": {
			out: "Failing input written to testdata/fuzz/FuzzA/1\n--- FAIL: FuzzA (2.13s)\n    context deadline exceeded\nFAIL\n",
		},
		"a seed whose own deadline ended": {
			out: "--- FAIL: FuzzA (0.01s)\n    --- FAIL: FuzzA/seed#0 (0.00s)\n        a_test.go:7: context deadline exceeded\nFAIL\n",
		},
		"a worker that hangs": {
			out: "--- FAIL: FuzzA (3.01s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := endRace([]byte(tt.out)); got != tt.want {
				t.Errorf("tried again: %t, want %t", got, tt.want)
			}
		})
	}
}
