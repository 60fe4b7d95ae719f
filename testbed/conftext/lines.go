package conftext

import "strings"

// maxCompared bounds the table that OriginalLine fills, in lines times lines.
const maxCompared = 16 << 20

// OriginalLine tells on which line of a user's file a line of the rendered one
// stands (both count from 1): the same line where it was kept, the line it replaces
// where it was changed, and where it was put in, the line before. Of files too large
// to compare it returns the line itself.
func OriginalLine(original, rendered string, line int) int {
	from, to := strings.Split(original, "\n"), strings.Split(rendered, "\n")
	if line < 1 || line > len(to) || len(from)*len(to) > maxCompared {
		return line
	}
	i, j := 0, 0
	for _, kept := range append(common(from, to), [2]int{len(from), len(to)}) {
		// Between two kept lines, those changed are matched in order.
		if at := line - 1; at < kept[1] {
			return max(1, min(i+at-j+1, max(i, kept[0])))
		}
		if line-1 == kept[1] {
			return min(kept[0]+1, len(from))
		}
		i, j = kept[0]+1, kept[1]+1
	}
	return line
}

// common is the longest common subsequence of two lists of lines, as pairs of
// indices.
func common(a, b []string) [][2]int {
	length := make([][]int32, len(a)+1)
	for i := range length {
		length[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}
