/* The sums of a model: log-odds and contributions of trees and of tables, one row after another.
 *
 * serving/forest.py and serving/kernel.py check a model and lay it out in the arrays below, so
 * nothing here is checked again. A row's numbers do not depend on the rows beside it: its sums
 * always run in the same order. Nothing is kept between calls, so threads may call at once.
 *
 * Contributions of trees: path-dependent SHAP values (Lundberg et al. 2020) as an integral over
 * the share t of features that are known (Owen 1972, "Multilinear extensions of games"): a known
 * feature lets a row go its own way, an unknown one both ways, in the shares of the training rows.
 * Each leaf's part is a polynomial of t, so a Gauss-Legendre sum is exact. As in Linear TreeSHAP
 * (Yu et al. 2022) one walk down and one up serve all leaves of a tree; here the two branches of a
 * split share their factors, so a split costs a handful of operations on LANES nodes at a time.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 4
#define ZERO 1.0000000180025095e-35 /* LightGBM's: what it takes for zero */

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* On x86-64 the loops exist twice, and the loader takes those with AVX2 where there is AVX2. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__)
#define FAST __attribute__((target_clones("avx2", "default")))
#else
#define FAST
#endif

enum { CATEGORY = 0, NUMBER = 1, NUMBER_OR_ZERO = 2, NUMBER_OR_NAN = 3 };

/* Trees. A slot is a place in one tree: first its splits, parents before children, then leaves. */
struct forest {
    int32_t columns, inputs, trees, splits, most_slots;
    double base;
    /* Inputs: a column, read in one way. */
    const int32_t *column, *kind, *missing_left; /* [inputs] */
    const int32_t *first;                        /* [inputs + 1] into node and rank */
    const int32_t *size;                         /* [inputs] thresholds, or codes */
    const int64_t *start;                        /* [inputs] into cuts, or into masks */
    const double *cuts;                          /* thresholds of an input, rising */
    const uint64_t *masks;                       /* codes that go left: [word][split] per input */
    const int32_t *node;                         /* [splits] by input: position among all splits */
    const int32_t *rank;                         /* [splits] by input: position in its cuts */
    /* Splits, tree by tree. */
    const int32_t *child;  /* [splits][2] slots: right, left */
    const int32_t *target; /* [splits] column */
    const int32_t *above;  /* [splits] slot below the last split on this column; 0: there is none */
    const int32_t *factor; /* [splits] into factors */
    const double *share;   /* [splits] of the training rows that go left */
    /* Trees. */
    const int32_t *tree;     /* [trees + 1] into splits; leaves are at that plus the tree's number */
    const int32_t *blocks;   /* [trees] of LANES quadrature nodes */
    const int32_t *quadrature; /* [trees] into weights */
    const double *leaf;      /* [splits + trees] */
    const double *weights;   /* [][LANES] */
    const double *factors;   /* [][3][LANES], the first for splits that a row does not come to */
};

/* Tables: each says of one column's cell what it adds. */
struct tables {
    int32_t tables;
    double intercept, base;
    const int32_t *column, *by_code; /* [tables] */
    const int32_t *first;            /* [tables + 1] into knots and values */
    const double *knots, *values, *missing, *mean;
};

static inline lanes load(const double *from)
{
    lanes found;
    memcpy(&found, from, sizeof found);
    return found;
}

static inline lanes all(double value)
{
    return (lanes){value, value, value, value};
}

/* Return how many of the rising numbers are less than x. */
static inline int32_t below(const double *numbers, int32_t count, double x)
{
    int32_t low = 0;
    while (count > 0) {
        int32_t half = count / 2;
        if (numbers[low + half] < x) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

/* Say of each split whether the row goes left; LightGBM's rules. */
static inline void decide(const struct forest *f, const double *row, uint8_t *left)
{
    for (int32_t i = 0; i < f->inputs; i++) {
        int32_t count = f->first[i + 1] - f->first[i], size = f->size[i], kind = f->kind[i];
        const int32_t *node = f->node + f->first[i], *rank = f->rank + f->first[i];
        double x = row[f->column[i]];
        if (kind == CATEGORY) {
            if (!(x > -1.0 && x < size)) { /* also when it is missing */
                for (int32_t k = 0; k < count; k++)
                    left[node[k]] = 0;
                continue;
            }
            uint32_t code = (uint32_t)(int32_t)x, bit = code & 63;
            const uint64_t *mask = f->masks + f->start[i] + (int64_t)(code >> 6) * count;
            for (int32_t k = 0; k < count; k++)
                left[node[k]] = (mask[k] >> bit) & 1;
            continue;
        }
        if (x != x && kind != NUMBER_OR_NAN)
            x = 0.0;
        int32_t bin;
        if (x != x || (kind == NUMBER_OR_ZERO && x >= -ZERO && x <= ZERO))
            bin = f->missing_left[i] ? 0 : size;
        else
            bin = below(f->cuts + f->start[i], size, x);
        for (int32_t k = 0; k < count; k++)
            left[node[k]] = rank[k] >= bin;
    }
}

/* Write the sum of the leaves of each row to `out`, tree by tree. */
FAST void forest_log_odds(const struct forest *f, const double *matrix, int64_t rows,
                          double *scratch, double *out)
{
    uint8_t *left = (uint8_t *)scratch;
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0.0;
        decide(f, matrix + r * f->columns, left);
        for (int32_t t = 0; t < f->trees; t++) {
            int32_t first = f->tree[t], splits = f->tree[t + 1] - first, slot = 0;
            while (slot < splits)
                slot = f->child[2 * (first + slot) + left[first + slot]];
            sum += f->leaf[first + t + slot - splits];
        }
        out[r] = sum;
    }
}

/* Return how many doubles of scratch a call needs. */
int64_t forest_scratch(const struct forest *f)
{
    int64_t bytes = (int64_t)f->splits + f->most_slots;
    return LANES * (1 + 3 * (int64_t)f->most_slots + f->columns) + bytes / 8 + 1;
}

/* Write each column's part of the log-odds to `out`, shape (rows, columns + 1), the base last. */
FAST void forest_contributions(const struct forest *f, const double *matrix, int64_t rows,
                               double *scratch, double *out)
{
    uintptr_t at = ((uintptr_t)scratch + sizeof(lanes) - 1) / sizeof(lanes) * sizeof(lanes);
    lanes *weight = (lanes *)at;               /* of a slot: the product of the factors above */
    lanes *value = weight + f->most_slots;     /* of a slot: the sum over the leaves below */
    lanes *go_left = value + f->most_slots;    /* of a split: the factor of its left branch */
    lanes *parts = go_left + f->most_slots;    /* of a column */
    uint8_t *left = (uint8_t *)(parts + f->columns);
    uint8_t *passed = left + f->splits; /* whether the row passed this column's splits above */
    for (int64_t r = 0; r < rows; r++, out += f->columns + 1) {
        decide(f, matrix + r * f->columns, left);
        for (int32_t c = 0; c < f->columns; c++)
            parts[c] = all(0.0);
        for (int32_t t = 0; t < f->trees; t++) {
            int32_t first = f->tree[t], splits = f->tree[t + 1] - first;
            const int32_t *child = f->child + 2 * (int64_t)first;
            const double *leaf = f->leaf + first + t;
            if (splits == 0)
                continue;
            for (int32_t j = 0; j <= splits; j++)
                value[splits + j] = all(leaf[j]);
            for (int32_t b = 0; b < f->blocks[t]; b++) {
                weight[0] = load(f->weights + LANES * (f->quadrature[t] + b));
                passed[0] = 1;
                for (int32_t i = 0; i < splits; i++) {
                    int32_t n = first + i, met = passed[f->above[n]], goes = left[n];
                    int32_t l = child[2 * i + 1], r = child[2 * i];
                    const double *factor =
                        f->factors + 3 * LANES * (int64_t)(met ? f->factor[n] + b : 0);
                    double share = f->share[n], goes_left = goes;
                    lanes to_left = load(factor) * goes_left + load(factor + LANES) * share;
                    weight[l] = weight[i] * to_left;
                    weight[r] = weight[i] - weight[l];
                    weight[i] *= load(factor + 2 * LANES) * (goes_left - share);
                    go_left[i] = to_left;
                    passed[l] = met & goes;
                    passed[r] = met & (1 - goes);
                }
                for (int32_t i = splits - 1; i >= 0; i--) {
                    lanes right = value[child[2 * i]], apart = value[child[2 * i + 1]] - right;
                    value[i] = right + go_left[i] * apart;
                    parts[f->target[first + i]] += weight[i] * apart;
                }
            }
        }
        for (int32_t c = 0; c < f->columns; c++)
            out[c] = (parts[c][0] + parts[c][1]) + (parts[c][2] + parts[c][3]);
        out[f->columns] = f->base;
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

/* Write each row's sum; return the first place (row * tables + table) of an unknown code, or -1. */
int64_t tables_log_odds(const struct tables *f, const double *matrix, int64_t rows,
                        int64_t columns, double *out)
{
    int unknown = 0;
    for (int64_t r = 0; r < rows; r++) {
        double sum = f->intercept;
        for (int32_t t = 0; t < f->tables; t++) {
            sum += add(f, t, matrix[r * columns + f->column[t]], &unknown);
            if (unknown)
                return r * f->tables + t;
        }
        out[r] = sum;
    }
    return -1;
}

/* Write each table's distance from its mean, shape (rows, tables + 1), the base last. */
int64_t tables_contributions(const struct tables *f, const double *matrix, int64_t rows,
                             int64_t columns, double *out)
{
    int unknown = 0;
    for (int64_t r = 0; r < rows; r++, out += f->tables + 1) {
        for (int32_t t = 0; t < f->tables; t++) {
            out[t] = add(f, t, matrix[r * columns + f->column[t]], &unknown) - f->mean[t];
            if (unknown)
                return r * f->tables + t;
        }
        out[f->tables] = f->base;
    }
    return -1;
}

/* What this library was compiled from: the SHA-256 of this file. */
const char *kernel_source(void)
{
    return KERNEL_SOURCE;
}
