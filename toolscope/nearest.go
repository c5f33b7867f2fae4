package toolscope

// maxCompared bounds the names that are compared, in bytes; a longer one is no slip of the finger.
const maxCompared = 64

// nearest returns the known name that was probably meant, or nothing where none is near.
func nearest(name string, known []string) string {
	best, bestAt := "", len(name)/3+2
	for _, k := range known {
		if len(name) > maxCompared || len(k) > maxCompared {
			continue
		}
		if d := distance(name, k); d < bestAt && d < len(k) {
			best, bestAt = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements of bytes that lead from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
