/* Rows of a matrix, made of what the values of columns come to; a part of texts.c. */
enum { ROWS_AT_ONCE = 64 };

/* What the `count` values of a field come to, `columns` numbers each, and the value of each row by
 * its code, which has `size` bytes; without codes each row has its own. */
struct coded_values {
    const double *values;
    const void *codes;
    int64_t size;
    int64_t count;
    int64_t columns;
};

static int64_t code_at(const struct coded_values *of, int64_t row) {
    if (of->size == 1)
        return ((const uint8_t *)of->codes)[row];
    if (of->size == 2)
        return ((const uint16_t *)of->codes)[row];
    if (of->size == 4)
        return ((const uint32_t *)of->codes)[row];
    return of->codes ? ((const int64_t *)of->codes)[row] : row;
}

/* Write the rows of a matrix of `width` columns; some rows at a time, so that they stay at hand.
 * Returns how many rows were written before a code that no value has. */
int64_t spread(const struct coded_values *fields, int64_t count, int64_t rows, int64_t width,
            double *matrix) {
    for (int64_t begin = 0; begin < rows; begin += ROWS_AT_ONCE) {
        int64_t end = begin + ROWS_AT_ONCE < rows ? begin + ROWS_AT_ONCE : rows, column = 0;
        for (int64_t i = 0; i < count; column += fields[i++].columns) {
            const struct coded_values *of = fields + i;
            for (int64_t row = begin; row < end; row++) {
                int64_t code = code_at(of, row);
                if (code < 0 || code >= of->count)
                    return row;
                const double *found = of->values + code * of->columns;
                for (int64_t j = 0; j < of->columns; j++)
                    matrix[row * width + column + j] = found[j];
            }
        }
    }
    return rows;
}
