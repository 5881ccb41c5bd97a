/* Delimited lines as cells; a part of texts.c. */
enum { MOST_CODED = 1024, MOST_SLOTS = 4096 };

/* The cells of each column by their distinct values, as far as these are few; see `distinct`.
 *
 * slots:  of each column a hash table, MOST_SLOTS codes and one more each, zero throughout.
 * firsts: of each column the records in which its values stand first, MOST_CODED each.
 * known:  of each column how many values it has, UNKNOWN where they are not counted any more.
 * codes:  the code of column c and record r at c * records + r.
 */
struct coding {
    uint16_t *slots;
    int32_t *firsts;
    int32_t *known;
    uint16_t *codes;
};

/* Note the value of the next cell of a column, which stands at `text`. */
static void code_cell(const struct coding *of, int64_t column, int64_t record, int64_t records,
                      uint64_t hash, const uint8_t *text, int64_t size, const int64_t *begins,
                      const int64_t *ends, const uint8_t *raw, int64_t behind,
                      const uint8_t *more) {
    int32_t *known = of->known + column, *firsts = of->firsts + column * MOST_CODED;
    uint16_t *slots = of->slots + column * MOST_SLOTS;
    int64_t slot = hash % MOST_SLOTS, probes = 0;
    for (; slots[slot]; slot = (slot + 1) % MOST_SLOTS, probes++) {
        int64_t first = column * records + firsts[slots[slot] - 1], begin = begins[first];
        const uint8_t *other = begin < behind ? raw + begin : more + begin - behind;
        if (ends[first] - begin == size && !memcmp(other, text, size))
            break;
    }
    if (!slots[slot]) {
        int is_seldom = record >= FIRST && 16 * (int64_t)*known > 15 * record;
        if (*known == MOST_CODED || is_seldom || probes > MOST_PROBES) {
            *known = UNKNOWN;
            return;
        }
        firsts[*known] = record;
        slots[slot] = ++*known;
    }
    of->codes[column * records + record] = slots[slot] - 1;
}

/* Split well-formed delimited lines into cells without white space around them.
 *
 * The cell of column c and record r is at c * records + r. One that holds doubled quotes is written
 * anew into `more`, which stands behind the lines: it begins at `size`, and `used` says how much of
 * it is filled. Without `begins` lines are only looked at.
 * keys:     of each column.
 * lines:    the line with which each record begins, counted from 0.
 * contents: of each record, a sum over its cells that tells it from others.
 * coding:   of the cells.
 * Returns the number of records, UNKNOWN where not all are well formed: for each of them `width`
 * fields, quotes around whole fields alone, no NUL, `longest` bytes at most.
 */
int64_t split(const uint8_t *raw, int64_t size, uint8_t delimiter, int64_t width, int64_t longest,
              int64_t records, const uint64_t *keys, int64_t *begins, int64_t *ends, int64_t *lines,
              uint64_t *contents, uint8_t *more, int64_t *used, const struct coding *coding) {
    uint8_t special[256] = {0};
    special[delimiter] = special['\n'] = special['\r'] = special['"'] = special[0] = 1;
    int64_t at = 0, line = 0, record = 0;
    while (at < size) {
        int64_t start = at, first = line, column = 0;
        uint64_t content = 0;
        if (raw[at] == '\n' || raw[at] == '\r') /* a blank line is no record, even of one field */
            return UNKNOWN;
        for (;; column++) {
            if (column == width)
                return UNKNOWN;
            int64_t begin, end;
            int doubled = 0;
            if (at < size && raw[at] == '"') {
                for (begin = ++at;; at++) {
                    if (at >= size || !raw[at])
                        return UNKNOWN;
                    if (raw[at] == '"') {
                        if (at + 1 == size || raw[at + 1] != '"')
                            break;
                        doubled = 1;
                        at++;
                    }
                    line += raw[at] == '\n' || (raw[at] == '\r' && raw[at + 1] != '\n');
                }
                end = at++;
            } else {
                begin = at;
                while (at < size && !special[raw[at]])
                    at++;
                end = at;
            }
            int is_last = at == size || raw[at] == '\n' || raw[at] == '\r';
            if (!is_last && raw[at] != delimiter)
                return UNKNOWN;
            if (begins) {
                trim(raw, &begin, &end);
                const uint8_t *text = raw + begin;
                if (doubled) {
                    int64_t start = *used;
                    for (int64_t i = begin; i < end; i++) {
                        more[(*used)++] = raw[i];
                        i += raw[i] == '"';
                    }
                    text = more + start;
                    begin = size + start;
                    end = size + *used;
                }
                begins[column * records + record] = begin;
                ends[column * records + record] = end;
                uint64_t hash = hash_of(text, end - begin);
                content += mixed(hash ^ keys[column]);
                if (coding->known[column] >= 0)
                    code_cell(coding, column, record, records, hash, text, end - begin, begins,
                              ends, raw, size, more);
            }
            if (is_last)
                break;
            at++;
        }
        if (column != width - 1)
            return UNKNOWN;
        if (at < size) {
            at += raw[at] == '\r' && at + 1 < size && raw[at + 1] == '\n' ? 2 : 1;
            line++;
        }
        if (at - start > longest)
            return UNKNOWN;
        if (begins) {
            lines[record] = first;
            contents[record] = content;
        }
        record++;
    }
    return record;
}
