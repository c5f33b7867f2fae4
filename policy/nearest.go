package policy

// maxCompared bounds the names that are compared, in bytes; a longer one is no slip of the finger.
const maxCompared = 80

// Nearest returns the known name that was probably meant by one that is not known, or nothing where none is near. Case of
// ASCII letters does not count, and two letters that changed places are one slip.
func Nearest(name string, known []string) string {
	if len(name) > maxCompared {
		return ""
	}
	best, bestAt := "", max(1, len(name)/3)+1
	for _, k := range known {
		if k == name || k == "" || len(k) > maxCompared || max(len(k)-len(name), len(name)-len(k)) >= bestAt {
			continue
		}
		if at := distance(name, k); at < bestAt && at < len(k) {
			best, bestAt = k, at
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that lead from a to b (optimal string
// alignment), in bytes, without regard to the case of ASCII letters.
func distance(a, b string) int {
	two, one, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				cost = 0
			}
			now[j] = min(one[j]+1, now[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && lower(a[i-1]) == lower(b[j-2]) && lower(a[i-2]) == lower(b[j-1]) {
				now[j] = min(now[j], two[j-2]+1)
			}
		}
		two, one, now = one, now, two
	}
	return one[len(b)]
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
