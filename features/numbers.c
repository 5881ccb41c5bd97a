/* Texts of a column as numbers; a part of texts.c.
 *
 * Plain are digits with a sign, groups and a decimal mark, among signs of currencies, and beside
 * the code of one.
 */
#define EXACT 9007199254740992ull /* 2^53 */
enum { LONGEST_NUMBER = 64, CODE = 3 };

/* Read a number of digits, in groups or not, with a decimal mark or not; UNKNOWN for any other. */
static int read_number(const uint8_t *at, const uint8_t *end, uint8_t point, uint8_t group,
                       double *number) {
    static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int is_negative = *at == '-';
    at += is_negative || *at == '+';
    uint64_t digits = 0;
    int whole = 0, decimals = 0, in_group = 0, groups = 0;
    for (; at < end && *at != point; at++) {
        if (is_digit(*at)) {
            digits = 10 * digits + (*at - '0');
            whole++;
            in_group++;
        } else if (*at == group) {
            if (groups ? in_group < 2 || in_group > 3 : in_group < 1 || in_group > 3)
                return UNKNOWN;
            groups++;
            in_group = 0;
        } else
            return UNKNOWN;
        if (whole > 18)
            return UNKNOWN;
    }
    if (!whole || (groups && in_group != 3))
        return UNKNOWN;
    if (at < end) {
        for (at++; at < end; at++, decimals++) {
            if (!is_digit(*at) || whole + decimals == 18)
                return UNKNOWN;
            digits = 10 * digits + (*at - '0');
        }
        if (!decimals)
            return UNKNOWN;
    }
    if (digits > EXACT)
        return UNKNOWN;
    /* Both are exact, so their quotient is the nearest number, as it is of Python's float(). */
    double read = (double)digits / TENS[decimals];
    *number = is_negative && digits ? -read : read;
    return 0;
}

/* Return how long the sign is that stands here, 0 for none; `signs` have their sizes before them. */
static int sign_at(const uint8_t *at, int64_t left, const uint8_t *signs) {
    for (; *signs; signs += *signs + 1)
        if (*signs <= left && !memcmp(at, signs + 1, *signs))
            return *signs;
    return 0;
}

static int is_code(const uint8_t *at, const uint8_t *codes) {
    for (; *codes; codes += CODE)
        if (!memcmp(at, codes, CODE))
            return 1;
    return 0;
}

/* Write a number without signs of currencies and without the code of one before or behind it.
 *
 * Returns how many letters are left; UNKNOWN where they are too many.
 */
static int64_t without_signs(const uint8_t *text, int64_t size, const uint8_t *signs,
                             const uint8_t *codes, uint8_t *plain) {
    int64_t length = 0;
    for (int64_t at = 0; at < size;) {
        int sign = is_digit(text[at]) ? 0 : sign_at(text + at, size - at, signs);
        at += sign;
        if (sign)
            continue;
        if (length == LONGEST_NUMBER)
            return UNKNOWN;
        plain[length++] = text[at++];
    }
    if (length > CODE && is_code(plain, codes)) {
        length -= CODE;
        memmove(plain, plain + CODE, length);
    } else if (length > CODE && is_code(plain + length - CODE, codes))
        length -= CODE;
    return length;
}

/* Read numbers, NaN for missing ones; tell which are not plain.
 *
 * signs: of currencies and the like, each with its size before it, and a NUL behind them.
 * codes: of currencies, each of three letters, and a NUL behind them.
 */
void numbers(const struct texts *of, uint8_t point, const uint8_t *signs, const uint8_t *codes,
             double *found, uint8_t *others) {
    uint8_t group = point == ',' ? '.' : ',', plain[LONGEST_NUMBER];
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i], *end = of->letters + of->ends[i];
        found[i] = NAN;
        others[i] = text < end && read_number(text, end, point, group, found + i) < 0;
        if (others[i]) {
            int64_t left = without_signs(text, end - text, signs, codes, plain);
            others[i] = left < 1 || read_number(plain, plain + left, point, group, found + i) < 0;
        }
    }
}

/* Tell where the text ends that a human would write: whole numbers without `.0`.
 *
 * Plain are texts of ASCII, and all that do not end as a number with zeros.
 */
void whole_ends(const struct texts *of, int64_t *ends, uint8_t *others) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i], at = 0;
        ends[i] = of->ends[i];
        others[i] = 0;
        if (!may_end_with_zeros(text, size))
            continue;
        for (int64_t j = 0; j < size; j++)
            others[i] |= text[j] >= 0x80;
        at += text[at] == '-';
        int64_t first = at;
        while (is_digit(text[at])) /* it ends before the mark, which is there */
            at++;
        int64_t mark = at, digits = at - first;
        if (!digits || (digits > 1 && text[first] == '0') || text[at++] != '.')
            continue;
        while (at < size && text[at] == '0')
            at++;
        if (at == size)
            ends[i] = of->begins[i] + mark;
    }
}
