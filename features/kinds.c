/* Which texts are of one kind, so that one of them is read for all; a part of texts.c. */
enum { UNKNOWN_COUNTRY = -3, AUTOMATON = 1 << 20 };
enum { LONGEST_PHONE = 64, FEWEST_DIGITS = 8, MOST_DIGITS = 15, LONGEST_EXTENSION = 9 };

/* Return what tells the kind of an e-mail address: its domain, without a first label that tells
 * nothing, as [begin, end) of its letters. Addresses of the same are of the same kind. */
void mail_kinds(const struct texts *of, const struct keys *telling, int64_t *begins, int64_t *ends,
                uint8_t *others) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i], at = size, is_plain = 1;
        while (at > 0 && text[at - 1] != '@')
            at--;
        int64_t first = 0, names = 0;
        uint8_t label[LONGEST_KEY];
        for (int64_t j = at; j < size; j++)
            is_plain &= text[j] < 0x80;
        begins[i] = of->begins[i] + at;
        ends[i] = of->ends[i];
        others[i] = !(is_plain && at > 1 && at < size && text[at] != '.');
        if (others[i])
            continue;
        for (; at + first < size && text[at + first] != '.' && first < LONGEST_KEY; first++) {
            uint8_t c = label[first] = small(text[at + first]);
            is_plain &= c == '-' || is_digit(c) || (c >= 'a' && c <= 'z');
            names += c != '-';
        }
        int is_telling = first >= 3 && (!memcmp(label, "uni", 3) || !memcmp(label, "xn-", 3));
        if (is_plain && names && first < LONGEST_KEY && !is_telling)
            if (place_of(telling, label, first) < 0)
                begins[i] += first;
    }
}

static int is_gap(uint8_t c) { return c == ' ' || (c >= '-' && c <= '/') || c == '(' || c == ')'; }

/* Whether nothing stands here but an extension, such as x12 or ext. 345. */
static int is_extension(const uint8_t *at, const uint8_t *end) {
    int digits = 0, has_e = at < end && small(*at) == 'e';
    at += has_e;
    if (at == end || small(*at++) != 'x')
        return 0;
    int has_t = at < end && small(*at) == 't';
    if (has_e && !has_t)
        return 0;
    at += has_t;
    at += at < end && *at == '.';
    while (at < end && *at == ' ')
        at++;
    for (; at < end && is_digit(*at); at++)
        digits++;
    return at == end && digits >= 1 && digits <= LONGEST_EXTENSION;
}

/* Return of which kind phone numbers are: 0 for national ones, else what their country says.
 *
 * kinds: by the first three digits of an international number its kind; NOT_PLAIN where it must be
 * looked at; AUTOMATON and beyond tell the state with which an automaton reads its digits. Where it
 * is UNKNOWN, UNKNOWN_COUNTRY and beyond tell these digits.
 * steps: by state and digit the next state.
 * ends: by state the kind of numbers that end there.
 */
void phone_kinds(const struct texts *of, const int32_t *kinds, const int32_t *steps,
                 const int32_t *ends, int32_t *found) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i], *end = of->letters + of->ends[i];
        int64_t size = end - text, at = 0;
        uint8_t digits[MOST_DIGITS];
        int count = 0, is_plain = !may_end_with_zeros(text, size), is_abroad = 0;
        if (size && text[0] == '+')
            is_abroad = at = 1;
        else if (size > 1 && text[0] == '0' && text[1] == '0')
            is_abroad = 1, at = 2;
        for (; at < size && is_plain; at++) {
            if (is_digit(text[at])) {
                if (count < MOST_DIGITS)
                    digits[count] = text[at] - '0';
                count++;
            } else if (is_abroad && !is_gap(text[at])) {
                is_plain = count >= FEWEST_DIGITS && is_extension(text + at, end);
                break;
            }
            is_plain &= text[at] < 0x80;
        }
        found[i] = NOT_PLAIN;
        if (is_plain && !is_abroad && count >= 6)
            found[i] = 0;
        if (is_plain && is_abroad && size <= LONGEST_PHONE && count >= FEWEST_DIGITS &&
            count <= MOST_DIGITS) {
            int first = 100 * digits[0] + 10 * digits[1] + digits[2], kind = kinds[first];
            if (kind >= AUTOMATON) {
                int32_t state = kind - AUTOMATON;
                for (int j = 0; j < count; j++)
                    state = steps[10 * state + digits[j]];
                kind = ends[state];
            }
            found[i] = kind == UNKNOWN ? UNKNOWN_COUNTRY - first : kind;
        }
    }
}
