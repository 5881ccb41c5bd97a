/* The sums of a model: log-odds and contributions of trees and of tables, many rows at a time.
 *
 * serving/forest.py and serving/kernel.py check a model and lay it out in arrays, so nothing here
 * is checked again. A row's numbers do not depend on the rows beside it: its sums always run in
 * the same order. Nothing is kept between calls, so threads may call at once.
 */
#include <math.h>

#include "contributions.c"

/* Tables: each says of one column's cell what it adds. */
struct tables {
    int32_t tables;
    double intercept, base;
    const int32_t *column, *by_code; /* [tables] */
    const int32_t *first;            /* [tables + 1] into knots and values */
    const double *knots, *values, *missing, *mean;
};

/* Write the sum of the leaves of each row to `out` and, where `parts` is given, each column's part
 * of it, shape (count, columns + 1), the base last. */
void forest_sums(const struct forest *f, const double *matrix, int64_t count, double *scratch,
                 double *out, double *parts)
{
    struct desk d = desk_on(f, scratch);
    for (int64_t start = 0; start < count; start += TILE) {
        int32_t some = count - start < TILE ? (int32_t)(count - start) : TILE;
        double *own = parts ? parts + start * (f->columns + 1) : NULL;
        for (int32_t r = 0; r < some; r++)
            decide(f, matrix + (start + r) * f->columns, d.decisions + (int64_t)r * f->decisions);
        if (some == 1) {
            out[start] = sum_of_one(f, d.decisions);
            if (parts)
                explain_one(f, d, own);
            continue;
        }
        gather(f, some, d);
        add_leaves(f, some, d);
        memcpy(out + start, d.sums, some * sizeof *out);
        for (int32_t r = 0; parts && r < some; r += ROWS)
            explain_some(f, r, some - r < ROWS ? some - r : ROWS, d,
                         own + (int64_t)r * (f->columns + 1));
    }
}

/* Return what a table adds for a cell; beyond its codes there is nothing, and `unknown` is set. */
static inline double add(const struct tables *f, int32_t table, double x, int *unknown)
{
    int32_t first = f->first[table], count = f->first[table + 1] - first;
    const double *knots = f->knots + first, *values = f->values + first;
    if (x != x)
        return f->missing[table];
    if (f->by_code[table]) {
        if (x > -1.0 && x < count)
            return values[(int32_t)x];
        *unknown = 1;
        return 0.0;
    }
    if (x <= knots[0])
        return values[0];
    if (x >= knots[count - 1])
        return values[count - 1];
    int32_t end = below(knots, count, x);
    double slope = (values[end] - values[end - 1]) / (knots[end] - knots[end - 1]);
    return slope * (x - knots[end - 1]) + values[end - 1];
}

/* Write each row's sum and, where `parts` is given, each table's distance from its mean, shape
 * (rows, tables + 1), the base last; return the first place (row * tables + table) of an unknown
 * code, or -1. */
int64_t tables_sums(const struct tables *f, const double *matrix, int64_t rows, int64_t columns,
                    double *out, double *parts)
{
    int unknown = 0;
    for (int64_t r = 0; r < rows; r++) {
        double sum = f->intercept;
        for (int32_t t = 0; t < f->tables; t++) {
            double found = add(f, t, matrix[r * columns + f->column[t]], &unknown);
            if (unknown)
                return r * f->tables + t;
            sum += found;
            if (parts)
                *parts++ = found - f->mean[t];
        }
        out[r] = sum;
        if (parts)
            *parts++ = f->base;
    }
    return -1;
}

/* Add each row's parts up by field: field i has the columns from `first[i]` to `first[i + 1]`. The
 * parts have the base behind them, shape (count, first[fields] + 1); the sums are (count, fields). */
void field_effects(const double *parts, int64_t count, const int64_t *first, int32_t fields,
                   double *effects)
{
    for (int64_t r = 0; r < count; r++, parts += first[fields] + 1)
        for (int32_t i = 0; i < fields; i++) {
            double sum = parts[first[i]];
            for (int64_t c = first[i] + 1; c < first[i + 1]; c++)
                sum += parts[c];
            *effects++ = sum;
        }
}

/* Write the places of the `most` strongest of each row's effects to `order`, shape (count, most),
 * the first among equals first. */
void strongest(const double *effects, int64_t count, int32_t fields, int32_t most, int32_t *order)
{
    for (int64_t r = 0; r < count; r++, effects += fields, order += most)
        for (int32_t i = 0, found = 0; i < fields; i++) {
            int32_t at = found < most ? found++ : most;
            for (; at > 0 && fabs(effects[order[at - 1]]) < fabs(effects[i]); at--)
                if (at < most)
                    order[at] = order[at - 1];
            if (at < most)
                order[at] = i;
        }
}

/* Write the places of each row's effects of at least `least` to `places`, one row's behind the
 * other's, and where each row's end to `ends`. */
static void notable(const double *effects, int64_t count, int32_t fields, double least,
                    int32_t *places, int32_t *ends)
{
    int32_t found = 0;
    for (int64_t r = 0; r < count; r++, effects += fields) {
        for (int32_t i = 0; i < fields; i++)
            if (fabs(effects[i]) >= least)
                places[found++] = i;
        ends[r] = found;
    }
}

/* A blend of members, and the tables that are read beside it; NULL where there are none. */
struct blend {
    int32_t columns, members, fields;
    double offset, least;        /* `least`: see notable */
    const int64_t *first;        /* [fields + 1] columns; see field_effects */
    const int32_t *is_forest;    /* [members] */
    const void *const *member;   /* [members] a struct forest or a struct tables */
    const struct tables *worth;  /* of a row: the logarithm of its value */
    const struct tables *delay;  /* of a row and its log-odds behind it */
};

/* Do for `count` rows what their scores ask for: log-odds, worth, delay and base go to `out`, shape
 * (4, count). Where `effects` is given, so do each row's `most` strongest effects of fields on the
 * log-odds to it, and `places` takes their places, those of all that are notable, and where each
 * row's notable ones end: `most`, as many as there are fields, and one for each row. `room` is for
 * columns + 1 numbers of each row, twice. Return the place (row * (columns + 1) + column) of an unknown code, or -1. */
int64_t blend_sums(const struct blend *b, const double *rows, int64_t count, double *scratch,
                   double *room, double *out, int32_t most, double *effects, int32_t *places)
{
    double *own = room, *parts = effects ? room + count * (b->columns + 1) : NULL;
    int64_t columns = b->columns, width = columns + 1, all = count * width;
    double *log_odds = out, *sum = out + count; /* `sum` is where the worth goes in the end */
    for (int64_t r = 0; r < count; r++)
        log_odds[r] = b->offset;
    for (int64_t i = 0; parts && i < all; i++)
        parts[i] = 0.0;
    for (int32_t m = 0; m < b->members; m++) {
        if (b->is_forest[m]) {
            forest_sums(b->member[m], rows, count, scratch, sum, parts ? own : NULL);
        } else {
            const struct tables *tables = b->member[m];
            int64_t place = tables_sums(tables, rows, count, columns, sum, parts ? own : NULL);
            if (place >= 0)
                return place / tables->tables * width + tables->column[place % tables->tables];
        }
        for (int64_t r = 0; r < count; r++)
            log_odds[r] += sum[r];
        for (int64_t i = 0; parts && i < all; i++)
            parts[i] += own[i];
    }
    if (parts) {
        int32_t *found = places + count * most;
        field_effects(parts, count, b->first, b->fields, own);
        strongest(own, count, b->fields, most, places);
        notable(own, count, b->fields, b->least, found, found + count * b->fields);
        for (int64_t i = 0; i < count * most; i++)
            effects[i] = own[i / most * b->fields + places[i]];
    }
    for (int64_t r = 0; r < count; r++)
        out[3 * count + r] = parts ? parts[r * width + columns] + b->offset : 0.0;
    const struct tables *beside[2] = {b->worth, b->delay};
    for (int64_t r = 0; r < count; r++) {
        memcpy(own, rows + r * columns, columns * sizeof *own);
        own[columns] = log_odds[r];
        for (int32_t i = 0; i < 2; i++) {
            int64_t place = -1;
            out[(1 + i) * count + r] = 0.0;
            if (beside[i])
                place = tables_sums(beside[i], own, 1, width, out + (1 + i) * count + r, NULL);
            if (place >= 0)
                return r * width + beside[i]->column[place];
        }
    }
    return -1;
}

/* The probability of each log-odds: what serving.scorer.sigmoid says, by the same exp. */
void sigmoids(const double *log_odds, int64_t count, double *found)
{
    for (int64_t i = 0; i < count; i++) {
        double odds = exp(log_odds[i] >= 0 ? -log_odds[i] : log_odds[i]);
        found[i] = (log_odds[i] >= 0 ? 1.0 : odds) / (1.0 + odds);
    }
}

/* exp of each number: that of Python's math, where numpy has its own. */
void exps(const double *of, int64_t count, double *found)
{
    for (int64_t i = 0; i < count; i++)
        found[i] = exp(of[i]);
}

/* What this library was compiled from: the SHA-256 of its sources. */
const char *source_hash(void)
{
    return SOURCE_HASH;
}
