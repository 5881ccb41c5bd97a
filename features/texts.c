/* What most texts of a column are, found from their bytes: where they stand in a file, which are
 * alike, and what number, moment, known key or words they are.
 *
 * Python's definitions say what a text means; these loops say the same of plain texts alone, and of
 * any other that it is not plain (NOT_PLAIN), so that it is left to Python. A text is letters
 * [begin, end) of some UTF-8, without white space at its ends; an empty one is a missing value.
 * Nothing is kept between calls, so threads may call at once.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { UNKNOWN = -1, NOT_PLAIN = -2 };
enum { MOST_PROBES = 64, MOST_WORDS = 128, AHEAD = 16, FIRST = 1024 };
enum { LONGEST_KEY = 256, LONGEST_TEXT = 2048 };

/* Texts of a column: `letters` is shared, `begins` and `ends` are theirs. */
struct texts {
    const uint8_t *letters;
    const int64_t *begins;
    const int64_t *ends;
    int64_t count;
};

/* Texts by which others are found: `slots` (a power of two) hold places of `keys` or UNKNOWN. */
struct keys {
    struct texts keys;
    const int32_t *slots;
    int64_t mask;
};

static int is_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31); }
static int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static uint8_t small(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 32 : c; }

/* Whether a text may be a number that ends with a decimal mark and zeros, which count for nothing. */
static int may_end_with_zeros(const uint8_t *text, int64_t size) {
    return size && text[size - 1] == '0' && memchr(text, '.', size);
}

/* How many bytes the white space beyond ASCII has that stands here; 0 for any other letter. */
static int wide_space(const uint8_t *at, int64_t left) {
    if (left >= 2 && at[0] == 0xC2)
        return at[1] == 0x85 || at[1] == 0xA0 ? 2 : 0;
    if (left < 3)
        return 0;
    if (at[0] == 0xE1)
        return at[1] == 0x9A && at[2] == 0x80 ? 3 : 0;
    if (at[0] == 0xE3)
        return at[1] == 0x80 && at[2] == 0x80 ? 3 : 0;
    if (at[0] != 0xE2)
        return 0;
    if (at[1] == 0x81)
        return at[2] == 0x9F ? 3 : 0;
    int spaces = at[2] <= 0x8A || at[2] == 0xA8 || at[2] == 0xA9 || at[2] == 0xAF;
    return at[1] == 0x80 && spaces ? 3 : 0;
}

static void trim(const uint8_t *letters, int64_t *begin, int64_t *end) {
    int64_t b = *begin, e = *end;
    while (b < e) {
        int width = letters[b] < 0x80 ? is_space(letters[b]) : wide_space(letters + b, e - b);
        if (!width)
            break;
        b += width;
    }
    while (b < e) {
        int width = is_space(letters[e - 1]);
        if (letters[e - 1] >= 0x80) {
            if (e - b >= 2 && wide_space(letters + e - 2, 2) == 2)
                width = 2;
            else if (e - b >= 3 && wide_space(letters + e - 3, 3) == 3)
                width = 3;
        }
        if (!width)
            break;
        e -= width;
    }
    *begin = b;
    *end = e;
}

static uint64_t mixed(uint64_t h) {
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93ull;
    h ^= h >> 32;
    return h;
}

/* Return the last bytes of a text, eight at most, as a number; of a shorter one all of them. */
static uint64_t last_bytes(const uint8_t *at, int64_t size) {
    uint64_t word = 0;
    uint32_t begin, end;
    if (size >= 8)
        memcpy(&word, at + size - 8, 8);
    else if (size >= 4) {
        memcpy(&begin, at, 4);
        memcpy(&end, at + size - 4, 4);
        word = begin | (uint64_t)end << 32;
    } else if (size)
        word = at[0] | (uint64_t)at[size / 2] << 8 | (uint64_t)at[size - 1] << 16;
    return word;
}

static uint64_t hash_of(const uint8_t *at, int64_t size) {
    uint64_t h = 0x9E3779B97F4A7C15ull * (uint64_t)(size + 1), word;
    uint64_t last = last_bytes(at, size);
    for (; size > 8; at += 8, size -= 8) {
        memcpy(&word, at, 8);
        h = mixed(h ^ word);
    }
    return mixed(h ^ last);
}

/* Texts lie far apart in a file: fetch those that come next. */
static void fetch(const struct texts *of, int64_t i) {
    if (i + AHEAD < of->count)
        __builtin_prefetch(of->letters + of->begins[i + AHEAD]);
}

/* Write texts one behind the other. */
void gather(const struct texts *of, uint8_t *letters) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        int64_t size = of->ends[i] - of->begins[i];
        memcpy(letters, of->letters + of->begins[i], size);
        letters += size;
    }
}

/* Write a number for each text that tells it from others; it is the same in all columns. */
void hashes(const struct texts *of, uint64_t *found) {
    for (int64_t i = 0; i < of->count; i++)
        found[i] = hash_of(of->letters + of->begins[i], of->ends[i] - of->begins[i]);
}

#include "split.c"

static int same(const struct texts *of, int64_t i, const uint8_t *text, int64_t size) {
    return of->ends[i] - of->begins[i] == size && !memcmp(of->letters + of->begins[i], text, size);
}

/* Number the distinct texts in the order of their first places.
 *
 * slots: UNKNOWN throughout, one more than `mask` (a power of two, twice `most` at least).
 * codes: of each text.
 * firsts: of each distinct text, its first place.
 * Returns how many there are; UNKNOWN where they are more than `most`, or look so by the first ones,
 * or lie ill.
 */
int64_t distinct(const struct texts *of, int64_t most, int64_t mask, int32_t *slots, int32_t *codes,
                 int64_t *firsts) {
    int64_t known = 0;
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i], probes = 0;
        uint64_t slot = hash_of(text, size) & mask;
        while (slots[slot] >= 0 && !same(of, firsts[slots[slot]], text, size)) {
            if (++probes == MOST_PROBES)
                return UNKNOWN;
            slot = (slot + 1) & mask;
        }
        if (slots[slot] < 0) {
            if (known == most || (most < of->count && i >= FIRST && 16 * known > 15 * i))
                return UNKNOWN;
            firsts[known] = i;
            slots[slot] = known++;
        }
        codes[i] = slots[slot];
    }
    return known;
}

/* Number the distinct keys in the order of their first places; see `distinct`, but for `most`. */
int64_t numbered(const int64_t *keys, int64_t count, int64_t mask, int32_t *slots, int32_t *codes,
                 int64_t *firsts) {
    int64_t known = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t slot = mixed(keys[i]) & mask;
        while (slots[slot] >= 0 && keys[firsts[slots[slot]]] != keys[i])
            slot = (slot + 1) & mask;
        if (slots[slot] < 0) {
            firsts[known] = i;
            slots[slot] = known++;
        }
        codes[i] = slots[slot];
    }
    return known;
}

static int32_t place_of(const struct keys *in, const uint8_t *text, int64_t size) {
    uint64_t slot = hash_of(text, size) & in->mask;
    while (in->slots[slot] >= 0 && !same(&in->keys, in->slots[slot], text, size))
        slot = (slot + 1) & in->mask;
    return in->slots[slot];
}

/* Find the key of each text (case and spacing do not count) among keys.
 *
 * Plain are texts of ASCII that are not too long and do not end as a number with zeros.
 */
void find(const struct texts *of, const struct keys *in, int32_t *places) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i], length = 0;
        uint8_t key[LONGEST_KEY];
        int is_plain = size && size <= LONGEST_KEY && !may_end_with_zeros(text, size);
        for (int64_t j = 0; is_plain && j < size; j++) {
            is_plain = text[j] < 0x80;
            if (!is_space(text[j]))
                key[length++] = small(text[j]);
            else if (key[length - 1] != ' ') /* no text begins with one */
                key[length++] = ' ';
        }
        places[i] = is_plain ? place_of(in, key, length) : NOT_PLAIN;
    }
}

/* Tell which texts begin with two letters of ASCII that are marked, or not with two of ASCII. */
void begin_as(const struct texts *of, const uint8_t *marked, uint8_t *found) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i];
        uint8_t first = size ? text[0] : 0, second = size > 1 ? text[1] : 0;
        found[i] = size && ((first | second) >= 0x80 || marked[first * 128 + second]);
    }
}

#include "numbers.c"
#include "moments.c"

/* Return the character that stands here in UTF-8, and how many bytes it has. */
static int64_t character(const uint8_t *at, int *width) {
    *width = *at < 0x80 ? 1 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : 4;
    int64_t code = *width == 1 ? *at : *at & (0xFF >> (*width + 1));
    for (int i = 1; i < *width; i++)
        code = code << 6 | (at[i] & 0x3F);
    return code;
}

/* Write a text with its letters folded and a space for any other character.
 *
 * folds: by character what a letter is folded to (three times its bytes at most), nothing for
 * others.
 * Returns how many bytes were written; UNKNOWN where a character is beyond `folds`.
 */
static int64_t folded(const uint8_t *text, int64_t size, const struct texts *folds,
                      uint8_t *letters) {
    int64_t length = 0;
    int width;
    for (int64_t at = 0; at < size; at += width) {
        int64_t code = character(text + at, &width);
        if (code >= folds->count)
            return UNKNOWN;
        int64_t begin = folds->begins[code], end = folds->ends[code];
        if (begin == end)
            letters[length++] = ' ';
        while (begin < end)
            letters[length++] = folds->letters[begin++];
    }
    return length;
}

/* Tell which words of texts are known, and how many different ones each has.
 *
 * found: shape (texts, known words + 1), zero throughout; NaN for missing texts.
 * Plain are texts of characters in `folds` with no more than MOST_WORDS words.
 */
void words(const struct texts *of, const struct keys *known, const struct texts *folds,
           double *found, uint8_t *others) {
    int64_t columns = known->keys.count + 1;
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i];
        double *row = found + i * columns;
        uint8_t letters[3 * LONGEST_TEXT];
        struct { int begin, size; } seen[MOST_WORDS];
        int64_t end = size <= LONGEST_TEXT ? folded(text, size, folds, letters) : UNKNOWN;
        int count = 0, is_plain = end >= 0;
        if (!size)
            for (int64_t column = 0; column < columns; column++)
                row[column] = NAN;
        for (int j = 0; is_plain && j < end;) {
            int begin = j;
            while (j < end && letters[j] != ' ')
                j++;
            int length = j - begin, is_new = length > 0;
            for (int k = 0; is_new && k < count; k++)
                is_new = seen[k].size != length ||
                         memcmp(letters + seen[k].begin, letters + begin, length);
            if (is_new) {
                if (count == MOST_WORDS) {
                    is_plain = 0;
                    break;
                }
                seen[count].begin = begin;
                seen[count++].size = length;
                int32_t place = place_of(known, letters + begin, length);
                if (place >= 0)
                    row[place] = 1.0;
            }
            j += !length;
        }
        if (size)
            row[columns - 1] = count;
        others[i] = !is_plain;
    }
}

#include "kinds.c"
#include "rows.c"

const char *source_hash(void) { return SOURCE_HASH; }
