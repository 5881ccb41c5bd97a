/* Trees: what a row decides at each split, and the sum of its leaves, many rows at a time.
 *
 * Which rows take a split's left branch is one word, so a split costs three operations for all.
 * Part of kernel.c.
 */
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
/* Of words of 512 bits a third time, for AVX-512; vectors of four numbers gain nothing by it. */
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FAST
#define WIDE
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
WIDE static void gather(const struct forest *f, int32_t count, struct desk d)
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
