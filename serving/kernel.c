/* The sums of a model: log-odds and contributions of trees and of tables, many rows at a time.
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
 * split share their factors, so a split costs a handful of operations.
 *
 * A vector holds quadrature nodes of a row that is alone, or of many rows the same node. Each number
 * is made by the same operations in the same order both ways, so the bits are the same.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 4        /* numbers in a vector: quadrature nodes of one row, or rows */
#define TWO 2          /* vectors of rows side by side: while one waits the other goes on */
#define ROWS (TWO * LANES)
#define IN_STEP 4
#define TILE 64 /* rows that are decided at once: one bit of a word each */
#define ZERO 1.0000000180025095e-35 /* LightGBM's: what it takes for zero */

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t marks __attribute__((vector_size(LANES * sizeof(int64_t))));
typedef uint64_t words __attribute__((vector_size(8 * sizeof(uint64_t))));

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
    const int32_t *nodes;      /* [trees] of the quadrature */
    const int32_t *quadrature; /* [trees] into weights */
    const double *weights;     /* [][LANES], 0 beyond the nodes */
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

/* No function: what is compiled for any processor is slow in the others. */
#define ALL(value) ((lanes){value, value, value, value})

/* Return all bits of a row's place where its bit is set, else none. */
static inline marks marked(unsigned bits)
{
    const marks own = {1, 2, 4, 8};
    return (bits & own) == own;
}

static inline lanes where(marks mark, lanes value)
{
    return (lanes)(mark & (marks)value);
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

/* Turn eight bytes of eight bits round (Warren 2012, Hacker's Delight, 7-3). */
static inline uint64_t turned(uint64_t x)
{
    uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAu;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCu;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0u;
    return x ^ t ^ (t << 28);
}

/* Memory of one call, in which a tree's slots, splits and columns are counted from 0. */
struct desk {
    double *numbers;    /* vectors */
    double *sums;       /* [TILE] */
    uint64_t *words;    /* of a decision: the rows that go left */
    uint64_t *here;     /* of a slot: the rows that come to it */
    uint8_t *decisions; /* [TILE][decisions] */
    uint8_t *passed;    /* of a slot: who passed this column's splits above */
};

static inline int64_t vectors(const struct forest *f)
{
    return TWO * LANES * (3 * (int64_t)f->most_slots + f->columns);
}

/* Return how many doubles of scratch a call needs. */
int64_t forest_scratch(const struct forest *f)
{
    int64_t bytes = TILE * (int64_t)f->decisions + f->most_slots;
    return LANES * (1 + vectors(f)) + TILE + 8 * (int64_t)f->decisions + f->most_slots + bytes / 8 + 1;
}

static inline struct desk desk_on(const struct forest *f, double *scratch)
{
    struct desk d;
    d.numbers = (double *)(((uintptr_t)scratch + sizeof(lanes) - 1) / sizeof(lanes) * sizeof(lanes));
    d.sums = d.numbers + LANES * vectors(f);
    d.words = (uint64_t *)(d.sums + TILE);
    d.here = d.words + 8 * (int64_t)f->decisions;
    d.decisions = (uint8_t *)(d.here + f->most_slots);
    d.passed = d.decisions + TILE * (int64_t)f->decisions;
    return d;
}

/* Say of each split which of the rows go left. */
FAST static void gather(const struct forest *f, int32_t count, struct desk d)
{
    for (int32_t b = 0; b < f->decisions; b++) {
        const uint8_t *from = d.decisions + b;
        words found = {0};
        for (int32_t start = 0; start < count; start += 8) {
            int32_t some = count - start < 8 ? count - start : 8;
            uint64_t eight = 0;
            for (int32_t r = 0; r < some; r++, from += f->decisions)
                eight |= (uint64_t)*from << 8 * r;
            found |= ((turned(eight) >> (words){0, 8, 16, 24, 32, 40, 48, 56}) & 255) << start;
        }
        memcpy(d.words + 8 * (int64_t)b, &found, sizeof found);
    }
}

/* Add to each row's sum its leaf of each tree, tree by tree. */
FAST static void add_leaves(const struct forest *f, int32_t count, struct desk d)
{
    for (int32_t r = 0; r < count; r++)
        d.sums[r] = 0.0;
    for (int32_t t = 0; t < f->trees; t++) {
        int32_t first = f->tree[t], splits = f->tree[t + 1] - first;
        const double *leaf = f->leaf + first + t;
        d.here[0] = ~(uint64_t)0 >> (TILE - count);
        for (int32_t i = 0; i < splits; i++) {
            const struct split *split = f->split + first + i;
            uint64_t left = d.words[split->decision];
            d.here[split->child[1]] = d.here[i] & left;
            d.here[split->child[0]] = d.here[i] & ~left;
        }
        for (int32_t j = 0; j <= splits; j++)
            for (uint64_t who = d.here[splits + j]; who; who &= who - 1)
                d.sums[__builtin_ctzll(who)] += leaf[j];
    }
}

/* Return the sum of the leaves of a row that is alone, in the same order.
 *
 * Some trees are walked in step: each waits for memory, and so they wait together. */
static double sum_of_one(const struct forest *f, const uint8_t *decisions)
{
    double sum = 0.0;
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
    return sum;
}

/* Write each column's part of the first row's log-odds to `out`; a vector holds nodes. */
FAST static void explain_one(const struct forest *f, struct desk d, double *out)
{
    lanes *weight = (lanes *)d.numbers;     /* of a slot: the product of the factors above */
    lanes *value = weight + f->most_slots;  /* of a slot: the sum over the leaves below */
    lanes *go_left = value + f->most_slots; /* of a split: the factor of its left branch */
    lanes *parts = go_left + f->most_slots; /* of a column */
    for (int32_t c = 0; c < f->columns; c++)
        parts[c] = ALL(0.0);
    for (int32_t t = 0; t < f->trees; t++) {
        int32_t first = f->tree[t], splits = f->tree[t + 1] - first;
        const struct split *split = f->split + first;
        const struct part *part = f->part + first;
        const double *leaf = f->leaf + first + t;
        for (int32_t j = 0; j <= splits; j++)
            value[splits + j] = ALL(leaf[j]);
        for (int32_t b = 0; b * LANES < f->nodes[t]; b++) {
            weight[0] = load(f->weights + LANES * (f->quadrature[t] + b));
            d.passed[0] = 1;
            for (int32_t i = 0; i < splits; i++) {
                int met = d.passed[part[i].above], goes = goes_left(d.decisions, split[i].decision);
                uint16_t l = split[i].child[1], r = split[i].child[0];
                const double *factor =
                    f->factors + 3 * LANES * (int64_t)(met ? part[i].factor + b : 0);
                double share = part[i].share, known = goes;
                go_left[i] = load(factor) * known + load(factor + LANES) * share;
                weight[l] = weight[i] * go_left[i];
                weight[r] = weight[i] - weight[l];
                weight[i] *= load(factor + 2 * LANES) * (known - share);
                d.passed[l] = met & goes;
                d.passed[r] = met & (1 - goes);
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

typedef lanes both[TWO];

/* Room for ROWS rows: of each slot, or column, LANES nodes. */
struct room {
    both (*weight)[LANES], (*value)[LANES], (*go_left)[LANES], (*parts)[LANES];
};

/* Walk a tree with `nodes` nodes from `node` on, down and up, and add to the parts of its columns.
 *
 * A split is walked with all of the nodes, so what is known of it stays in registers. It must be
 * part of its caller: by itself it would be compiled for any processor, and be slow. */
static inline __attribute__((always_inline)) void
walk(const struct forest *f, int32_t t, int32_t node, int32_t nodes, int32_t start, struct desk d,
     struct room at)
{
    int32_t first = f->tree[t], splits = f->tree[t + 1] - first, block = node / LANES;
    const struct split *split = f->split + first;
    const struct part *part = f->part + first;
    const double *leaf = f->leaf + first + t;
    d.passed[0] = 255;
    for (int32_t k = 0; k < nodes; k++)
        for (int32_t h = 0; h < TWO; h++)
            at.weight[0][k][h] = ALL(f->weights[LANES * f->quadrature[t] + node + k]);
    for (int32_t i = 0; i < splits; i++) {
        const double *factor = f->factors + 3 * LANES * (int64_t)(part[i].factor + block);
        unsigned goes = (uint8_t)(d.words[split[i].decision] >> start);
        unsigned passed = d.passed[part[i].above];
        uint16_t l = split[i].child[1], r = split[i].child[0];
        double share = part[i].share;
        lanes known[TWO], moves[TWO];
        marks met[TWO], others[TWO];
        for (int32_t h = 0; h < TWO; h++) {
            met[h] = marked(passed >> LANES * h);
            others[h] = ~met[h] & (marks)ALL(share);
            known[h] = where(marked(goes >> LANES * h), ALL(1.0));
            moves[h] = where(met[h], known[h] - share);
        }
        for (int32_t k = 0; k < nodes; k++) {
            double own_way = factor[k], both_ways = factor[LANES + k] * share;
            double step = factor[2 * LANES + k];
            for (int32_t h = 0; h < TWO; h++) {
                lanes here = at.weight[i][k][h], passes = known[h] * own_way + both_ways;
                lanes left = (lanes)((met[h] & (marks)passes) | others[h]);
                lanes going = here * left;
                at.go_left[i][k][h] = left;
                at.weight[l][k][h] = going;
                at.weight[r][k][h] = here - going;
                at.weight[i][k][h] = here * (step * moves[h]);
            }
        }
        d.passed[l] = (uint8_t)(passed & goes);
        d.passed[r] = (uint8_t)(passed & ~goes);
    }
    for (int32_t j = 0; j <= splits; j++)
        for (int32_t k = 0; k < nodes; k++)
            for (int32_t h = 0; h < TWO; h++)
                at.value[splits + j][k][h] = ALL(leaf[j]);
    for (int32_t i = splits - 1; i >= 0; i--) {
        uint16_t l = split[i].child[1], r = split[i].child[0];
        both *to = at.parts[part[i].column];
        for (int32_t k = 0; k < nodes; k++)
            for (int32_t h = 0; h < TWO; h++) {
                lanes right = at.value[r][k][h], apart = at.value[l][k][h] - right;
                at.value[i][k][h] = right + at.go_left[i][k][h] * apart;
                to[k][h] += at.weight[i][k][h] * apart;
            }
    }
}

/* Do what `explain_one` does for ROWS rows from `start` on, of which `count` are there; a vector holds rows. */
FAST static void explain_some(const struct forest *f, int32_t start, int32_t count, struct desk d,
                              double *out)
{
    struct room at;
    at.weight = (both(*)[LANES])d.numbers;
    at.value = at.weight + f->most_slots;
    at.go_left = at.value + f->most_slots;
    at.parts = at.go_left + f->most_slots;
    for (int32_t c = 0; c < f->columns; c++)
        for (int32_t k = 0; k < LANES; k++)
            for (int32_t h = 0; h < TWO; h++)
                at.parts[c][k][h] = ALL(0.0);
    for (int32_t t = 0; t < f->trees; t++)
        for (int32_t node = 0; node < f->nodes[t]; node += LANES) {
            int32_t nodes = f->nodes[t] - node < LANES ? f->nodes[t] - node : LANES;
            walk(f, t, node, nodes, start, d, at);
        }
    for (int32_t r = 0; r < count; r++, out += f->columns + 1) {
        for (int32_t c = 0; c < f->columns; c++) {
            double sums[LANES];
            for (int32_t k = 0; k < LANES; k++)
                sums[k] = at.parts[c][k][r / LANES][r % LANES];
            out[c] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
        out[f->columns] = f->base;
    }
}

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

/* A blend of members, and the tables that are read beside it; NULL where there are none. */
struct blend {
    int32_t columns, members;
    double offset;
    const int32_t *is_forest;    /* [members] */
    const void *const *member;   /* [members] a struct forest or a struct tables */
    const struct tables *worth;  /* of a row: the logarithm of its value */
    const struct tables *delay;  /* of a row and its log-odds behind it */
};

/* Do for one row what a score asks for: its log-odds, worth and delay go to `out`, the log-odds
 * behind the row as well, and to `parts`, where it is given, each column's part of them, the base
 * last. `own` is room for as many. Return the column of an unknown code, or -1. */
int32_t blend_one(const struct blend *b, double *row, double *scratch, double *own, double *out,
                  double *parts)
{
    const struct tables *beside[2] = {b->worth, b->delay};
    double total = b->offset, sum;
    for (int32_t c = 0; parts && c <= b->columns; c++)
        parts[c] = 0.0;
    for (int32_t m = 0; m < b->members; m++) {
        if (b->is_forest[m]) {
            forest_sums(b->member[m], row, 1, scratch, &sum, parts ? own : NULL);
        } else {
            const struct tables *tables = b->member[m];
            int64_t place = tables_sums(tables, row, 1, b->columns, &sum, parts ? own : NULL);
            if (place >= 0)
                return tables->column[place];
        }
        total += sum;
        for (int32_t c = 0; parts && c <= b->columns; c++)
            parts[c] += own[c];
    }
    if (parts)
        parts[b->columns] += b->offset;
    out[0] = row[b->columns] = total;
    for (int32_t i = 0; i < 2; i++) {
        int64_t place = -1;
        out[1 + i] = 0.0;
        if (beside[i])
            place = tables_sums(beside[i], row, 1, b->columns + 1, out + 1 + i, NULL);
        if (place >= 0)
            return beside[i]->column[place];
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

/* What this library was compiled from: the SHA-256 of this file. */
const char *source_hash(void)
{
    return SOURCE_HASH;
}
