/* Texts of a column as moments; a part of texts.c.
 *
 * Plain are ISO 8601 as most programs write it, and the dates that spreadsheets show.
 */
static int two(const uint8_t *at) {
    return is_digit(at[0]) && is_digit(at[1]) ? 10 * (at[0] - '0') + at[1] - '0' : 99;
}

static int64_t days_since_1970(int64_t year, int month, int day) {
    /* Years from March on, so that a leap day is the last one (Hinnant 2013, chrono dates). */
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Read an offset from UTC, Z or +HH:MM or +HHMM, that ends a text; UNKNOWN for any other end. */
static int read_offset(const uint8_t *at, int64_t size, int64_t *seconds) {
    *seconds = 0;
    if (!size || (size == 1 && *at == 'Z'))
        return 0;
    int has_colon = size == 6 && at[3] == ':';
    if ((*at != '+' && *at != '-') || (size != 5 && !has_colon))
        return UNKNOWN;
    int hours = two(at + 1), minutes = two(at + 3 + has_colon);
    if (hours > 23 || minutes > 59)
        return UNKNOWN;
    *seconds = (*at == '-' ? -1 : 1) * (3600 * hours + 60 * minutes);
    return 0;
}

static int is_day(int year, int month, int day) {
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int is_leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
    return year >= 1900 && year < 2200 && month >= 1 && month <= 12 && day >= 1 &&
           day <= LENGTHS[month - 1] + (month == 2 && is_leap);
}

static int64_t in_micros(int year, int month, int day, int64_t seconds) {
    return 1000000 * (86400 * days_since_1970(year, month, day) + seconds);
}

/* Read YYYY-MM-DD, then THH:MM, then :SS, then a fraction of three or six digits, then an offset. */
static int read_iso(const uint8_t *at, int64_t size, int64_t *moment) {
    if (size < 10 || at[4] != '-' || at[7] != '-')
        return UNKNOWN;
    int year = 100 * two(at) + two(at + 2), month = two(at + 5), day = two(at + 8);
    if (!is_digit(at[0]) || !is_digit(at[1]) || !is_digit(at[2]) || !is_digit(at[3]))
        return UNKNOWN;
    if (!is_day(year, month, day))
        return UNKNOWN;
    int64_t seconds = 0, micros = 0;
    if (size > 10) {
        if (size < 16 || (at[10] != 'T' && at[10] != ' ') || at[13] != ':')
            return UNKNOWN;
        int hour = two(at + 11), minute = two(at + 14), second = 0;
        int64_t read = 16, offset;
        if (size >= 19 && at[16] == ':') {
            second = two(at + 17);
            read = 19;
            int digits = 0;
            if (size > 19 && at[19] == '.') {
                for (; 20 + digits < size && is_digit(at[20 + digits]); digits++)
                    if (digits < 6)
                        micros = 10 * micros + at[20 + digits] - '0';
                if (digits != 3 && digits != 6)
                    return UNKNOWN;
                micros *= digits == 3 ? 1000 : 1;
                read = 20 + digits;
            }
        }
        if (read_offset(at + read, size - read, &offset) < 0)
            return UNKNOWN;
        if (hour > 23 || minute > 59 || second > 59)
            return UNKNOWN;
        seconds = 3600 * hour + 60 * minute + second - offset;
    }
    *moment = in_micros(year, month, day, seconds) + micros;
    return 0;
}

/* Read one digit or two that `mark` follows, or that end the text; UNKNOWN for any other. */
static int read_part(const uint8_t **at, const uint8_t *end, uint8_t mark) {
    int read = 0, digits = 0;
    for (; *at < end && is_digit(**at) && digits < 3; digits++)
        read = 10 * read + *(*at)++ - '0';
    if (digits < 1 || digits > 2 || (*at < end && *(*at)++ != mark))
        return UNKNOWN;
    return read;
}

/* Read D/M/YYYY or M/D/YYYY (also with dots or dashes), then H:MM, then :SS, then AM or PM. */
static int read_short(const uint8_t *at, int64_t size, int is_day_first, int64_t *moment) {
    const uint8_t *end = at + size;
    uint8_t mark = size > 2 ? at[is_digit(at[1]) ? 2 : 1] : 0;
    if (mark != '.' && mark != '/' && mark != '-')
        return UNKNOWN;
    int first = read_part(&at, end, mark), second = read_part(&at, end, mark);
    if (first < 0 || second < 0 || end - at < 4 || two(at) > 21 || two(at + 2) > 99)
        return UNKNOWN;
    int has_day_first = is_day_first || mark == '.';
    int year = 100 * two(at) + two(at + 2);
    int month = has_day_first ? second : first, day = has_day_first ? first : second;
    int hour = 0, minute = 0, seconds = 0;
    at += 4;
    if (!is_digit(at[-2]) || !is_digit(at[-1]) || !is_day(year, month, day))
        return UNKNOWN;
    if (at < end) {
        if (*at++ != ' ')
            return UNKNOWN;
        int64_t left = end - at;
        int is_clock = left >= 4 && (at[1] == ':' || (left >= 5 && at[2] == ':'));
        hour = is_clock ? read_part(&at, end, ':') : UNKNOWN;
        if (hour < 0 || end - at < 2)
            return UNKNOWN;
        minute = two(at);
        at += 2;
        if (end - at >= 3 && *at == ':') {
            seconds = two(at + 1);
            at += 3;
        }
        at += at < end && *at == ' ';
        if (end - at == 2 && small(at[1]) == 'm' && (small(*at) == 'a' || small(*at) == 'p')) {
            if (hour < 1 || hour > 12)
                return UNKNOWN;
            hour = hour % 12 + (small(*at) == 'p' ? 12 : 0);
            at += 2;
        }
        if (at != end || end[-1] == ' ' || hour > 23 || minute > 59 || seconds > 59)
            return UNKNOWN;
    }
    *moment = in_micros(year, month, day, 3600 * hour + 60 * minute + seconds);
    return 0;
}

/* Read moments as microseconds since 1970, 0 for missing ones; tell which are not plain. */
void moments(const struct texts *of, int is_day_first, int64_t *found, uint8_t *others) {
    for (int64_t i = 0; i < of->count; i++) {
        fetch(of, i);
        const uint8_t *text = of->letters + of->begins[i];
        int64_t size = of->ends[i] - of->begins[i];
        found[i] = 0;
        others[i] = size && read_iso(text, size, found + i) < 0 &&
                    read_short(text, size, is_day_first, found + i) < 0;
    }
}
