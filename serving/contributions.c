/* Contributions of trees: what each column adds to a row's log-odds. Part of kernel.c.
 *
 * They are path-dependent SHAP values (Lundberg et al. 2020) as an integral over the share t of
 * features that are known (Owen 1972, "Multilinear extensions of games"): a known feature lets a
 * row go its own way, an unknown one both ways, in the shares of the training rows. Each leaf's
 * part is a polynomial of t, so a Gauss-Legendre sum is exact. As in Linear TreeSHAP (Yu et al.
 * 2022) one walk down and one up serve all leaves of a tree; here the two branches of a split
 * share their factors, so a split costs a handful of operations.
 *
 * A vector holds quadrature nodes of a row that is alone, or of many rows the same node. Each
 * number is made by the same operations in the same order both ways, so the bits are the same.
 */
#include "trees.c"

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

/* Do what `explain_one` does for ROWS rows from `start` on, of which `count` are there; a vector
 * holds rows. */
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
