// config_near: optimal string alignment, bounded, over three rows.
#include "core/config/config_near.h"

enum { NEAR_LENGTH = 40 }; // longer words are never somebody's typing error of ours

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t config_near_distance(struct slice a, struct slice b, size_t most) {
    size_t rows[3][NEAR_LENGTH + 1];
    if (a.n > NEAR_LENGTH || b.n > NEAR_LENGTH)
        return most + 1;
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *now = rows[i % 3], *before = rows[(i - 1) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);
            now[j] = least(before[j - 1] + (x != y), least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) && y == ascii_lower(a.p[i - 2]))
                now[j] = least(now[j], earlier[j - 2] + 1);
        }
    }
    return least(rows[a.n % 3][b.n], most + 1);
}

struct config_near config_near_start(struct slice word) {
    // A third of a word may be wrong: "lisen" is near "listen", "foo" is near nothing.
    return (struct config_near){.word = word, .distance = word.n < 2 ? 0 : word.n < 6 ? 1 : word.n / 3};
}

void config_near_offer(struct config_near *near, const char *known) {
    size_t distance = config_near_distance(near->word, slice_str(known), near->distance);
    if (distance < near->distance || (distance == near->distance && !near->best)) {
        near->distance = distance;
        near->best = known;
    }
}
