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
#define IN_STEP 4
#define ZERO 1.0000000180025095e-35 /* LightGBM's: what it takes for zero */

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* On x86-64 the loops exist twice, and the loader takes those with AVX2 where there is AVX2. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__)
#define FAST __attribute__((target_clones("avx2", "default")))
#else
#define FAST
#endif

enum { CATEGORY = 0, NUMBER = 1, NUMBER_OR_ZERO = 2, NUMBER_OR_NAN = 3 };

/* A slot is a place in one tree: first its splits, parents before children, then its leaves. */
struct split {
    uint32_t decision; /* position among the decisions of a row */
    uint16_t child[2]; /* slots: right, left */
};

struct part { /* what the contributions need of a split */
    double share;    /* of the training rows that go left */
    int32_t factor;  /* into factors */
    uint16_t column;
    uint16_t above;  /* slot below the last split on this column; 0: there is none */
};

struct forest {
    int32_t columns, inputs, trees, splits, most_slots, decisions;
    double base;
    /* Inputs: a column, read in one way. A cell falls into one of size + 1 bins, and a row of bits
     * for each bin says which splits it lets go left. */
    const int32_t *column, *kind, *missing_left, *size; /* [inputs] */
    const double *cuts;    /* thresholds, rising */
    const int64_t *cut;    /* [inputs] into cuts */
    const uint8_t *bits;   /* [bin][bytes] of each input */
    const int64_t *bit;    /* [inputs] into bits */
    const int32_t *first;  /* [inputs + 1] bytes in the decisions of a row */
    /* Trees. */
    const int32_t *tree;       /* [trees + 1] into splits; leaves are at that plus the tree's number */
    const struct split *split; /* [splits + 1] */
    const struct part *part;   /* [splits] */
    const double *leaf;        /* [splits + trees] */
    const int32_t *blocks;     /* [trees] of LANES quadrature nodes */
    const int32_t *quadrature; /* [trees] into weights */
    const double *weights;     /* [][LANES] */
    const double *factors;     /* [][3][LANES], the first for splits that a row does not come to */
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

/* Say of each split whether the row goes left, by LightGBM's rules, as one bit. */
static inline void decide(const struct forest *f, const double *row, uint8_t *decisions)
{
    for (int32_t i = 0; i < f->inputs; i++) {
        int32_t size = f->size[i], kind = f->kind[i], bytes = f->first[i + 1] - f->first[i], bin;
        double x = row[f->column[i]];
        if (kind == CATEGORY) {
            bin = x > -1.0 && x < size ? (int32_t)x : size; /* the last also when it is missing */
        } else {
            if (x != x && kind != NUMBER_OR_NAN)
                x = 0.0;
            if (x != x || (kind == NUMBER_OR_ZERO && x >= -ZERO && x <= ZERO))
                bin = f->missing_left[i] ? 0 : size;
            else
                bin = below(f->cuts + f->cut[i], size, x);
        }
        memcpy(decisions + f->first[i], f->bits + f->bit[i] + (int64_t)bin * bytes, bytes);
    }
}

static inline int goes_left(const uint8_t *decisions, uint32_t decision)
{
    return decisions[decision >> 3] >> (decision & 7) & 1;
}

/* Write the sum of the leaves of each row to `out`, tree by tree.
 *
 * Some trees are walked in step: each waits for memory, and so they wait together. */
FAST void forest_log_odds(const struct forest *f, const double *matrix, int64_t rows,
                          double *scratch, double *out)
{
    uint8_t *decisions = (uint8_t *)scratch;
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0.0;
        decide(f, matrix + r * f->columns, decisions);
        for (int32_t t = 0; t < f->trees; t += IN_STEP) {
            int32_t count = f->trees - t < IN_STEP ? f->trees - t : IN_STEP, walking = 1;
            int32_t first[IN_STEP] = {0}, splits[IN_STEP] = {0}, slot[IN_STEP] = {0};
            for (int32_t j = 0; j < count; j++)
                first[j] = f->tree[t + j], splits[j] = f->tree[t + j + 1] - first[j];
            while (walking) {
                walking = 0;
                for (int32_t j = 0; j < IN_STEP; j++) {
                    int32_t more = slot[j] < splits[j];
                    const struct split *split = f->split + first[j] + (more ? slot[j] : 0);
                    int32_t next = split->child[goes_left(decisions, split->decision)];
                    slot[j] = more ? next : slot[j];
                    walking |= more;
                }
            }
            for (int32_t j = 0; j < count; j++)
                sum += f->leaf[first[j] + t + j + slot[j] - splits[j]];
        }
        out[r] = sum;
    }
}

/* Return how many doubles of scratch a call needs. */
int64_t forest_scratch(const struct forest *f)
{
    int64_t bytes = (int64_t)f->decisions + f->most_slots;
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
    uint8_t *decisions = (uint8_t *)(parts + f->columns);
    uint8_t *passed = decisions + f->decisions; /* whether the row passed this column's splits above */
    for (int64_t r = 0; r < rows; r++, out += f->columns + 1) {
        decide(f, matrix + r * f->columns, decisions);
        for (int32_t c = 0; c < f->columns; c++)
            parts[c] = all(0.0);
        for (int32_t t = 0; t < f->trees; t++) {
            int32_t first = f->tree[t], splits = f->tree[t + 1] - first;
            const struct split *split = f->split + first;
            const struct part *part = f->part + first;
            const double *leaf = f->leaf + first + t;
            if (splits == 0)
                continue;
            for (int32_t j = 0; j <= splits; j++)
                value[splits + j] = all(leaf[j]);
            for (int32_t b = 0; b < f->blocks[t]; b++) {
                weight[0] = load(f->weights + LANES * (f->quadrature[t] + b));
                passed[0] = 1;
                for (int32_t i = 0; i < splits; i++) {
                    int met = passed[part[i].above], goes = goes_left(decisions, split[i].decision);
                    uint16_t l = split[i].child[1], r = split[i].child[0];
                    const double *factor =
                        f->factors + 3 * LANES * (int64_t)(met ? part[i].factor + b : 0);
                    double share = part[i].share, known = goes;
                    go_left[i] = load(factor) * known + load(factor + LANES) * share;
                    weight[l] = weight[i] * go_left[i];
                    weight[r] = weight[i] - weight[l];
                    weight[i] *= load(factor + 2 * LANES) * (known - share);
                    passed[l] = met & goes;
                    passed[r] = met & (1 - goes);
                }
                for (int32_t i = splits - 1; i >= 0; i--) {
                    lanes right = value[split[i].child[0]];
                    lanes apart = value[split[i].child[1]] - right;
                    value[i] = right + go_left[i] * apart;
                    parts[part[i].column] += weight[i] * apart;
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
