# Prints the input line with the smallest edit distance to `word`, if it is at most half of the word's length.
function least(a, b, c) { return a < b ? (a < c ? a : c) : (b < c ? b : c) }
function distance(s, t,    i, j, previous, row) {
    for (j = 0; j <= length(t); j++) row[j] = j
    for (i = 1; i <= length(s); i++) {
        previous = row[0]
        row[0] = i
        for (j = 1; j <= length(t); j++) {
            keep = row[j]
            row[j] = least(row[j] + 1, row[j - 1] + 1, previous + (substr(s, i, 1) != substr(t, j, 1)))
            previous = keep
        }
    }
    return row[length(t)]
}
{
    d = distance(word, $0)
    if (NR == 1 || d < best) { best = d; closest = $0 }
}
END { if (best <= length(word) / 2) print closest }
