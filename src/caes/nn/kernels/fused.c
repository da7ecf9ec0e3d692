/* A mirrored convolutional auto-encoder, forward and backward, one picture at a time.
 *
 * A network of few channels spends its time moving feature maps through memory, not
 * computing them. Here one picture passes through every level and back while its maps
 * stay in the core's own cache. The results are those of the plain formulation
 * (up-sample, pad, convolve, ReLU, pool) up to the rounding of 32-bit floats.
 *
 * Two identities do the work, for up-sampling factor u and kernel side k:
 *   - nearest up-sampling and then a convolution w is one transposed convolution of
 *     stride u with the kernel G[g] = sum over s in 0..u-1 of w[k-1+s-g], of side
 *     K = k+u-1; an ordinary convolution is the case u = 1;
 *   - ReLU after max-pooling equals ReLU before it, in value and in gradient.
 * A cell of 2 x 2 pixels is convolved and pooled without a detour by memory, and kernels of
 * 3 x 3 weights take 16 products for its four sums instead of 36 (`winograd_row`), in the
 * input's gradient, too.
 *
 * What is not a number stays so: a NaN is the largest of its cell, passes ReLU as its
 * gradient does, and is never right.
 *
 * Maps are height x width x channels, channels padded to whole vectors with zeros, each
 * in a frame of zeros that stands for "same" padding. Both loops below keep a block of
 * sums in registers: `correlate` (forward; gradient of the input) over pixels x
 * channels, `outer` (gradient of the weights) over weights x channels.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 8
#define PAD(c) (((c) + LANES - 1) / LANES * LANES)
#define MAX_SIDE 64 /* of a kernel G */
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* Have a vector in a register: GCC would read it again from memory at each use, and two
 * reads for each product are more than a core can do in time. Where registers are shorter
 * than a vector, the compiler is left to itself. */
#ifdef __AVX__
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#else
#define IN_REGISTER(v) (void)(v)
#endif

/* One convolution with what comes before (up-sampling) and after (pooling). */
typedef struct {
    int32_t height, width;     /* of the maps that come in */
    int32_t inputs, outputs;   /* channels */
    int32_t kernel, up, pool;  /* sides; 1 for none */
    int32_t relu;              /* after the pooling; the last stage has none */
} Stage;

typedef struct {
    int32_t stages, levels;         /* the levels are the encoder's stages */
    int32_t height, width;          /* of the picture, inside the padding */
    int32_t top, left;              /* where it lies in the padded picture */
    int32_t squared;                /* loss: 0 cross-entropy, 1 squared error */
    const Stage *stage;
} Network;

/* Sizes and places that follow from a stage. */
typedef struct {
    int in, out;               /* channels as stored */
    int few;                   /* whether the outputs fill no vector: the last stage */
    int big, frame, end;       /* K; zeros before and after the maps that come out */
    int low, high;             /* zeros before and after the maps that come in */
    int rows, cols;            /* of the framed maps that come in */
    int tall, wide;            /* of the convolution's output, without its frame */
    int drows, dcols;          /* the same with its frame */
    int pooled_h, pooled_w;
    float *x;                  /* framed maps that come in */
    float *dx;                 /* their gradient, no frame */
    float *dz;                 /* framed gradient of the convolution's output */
    int32_t *winner;           /* place in its pooling cell of each maximum */
    float *forward;            /* G as [phase][row][column][in][out], or, for few */
                               /* outputs, as [phase][row][out][column][in] */
    float *backward;           /* G as [row][column][out][in] */
    float *dweights, *bias, *dbias;
    int winograd, turned;      /* whether forwards, and back, `winograd_row` knows it */
    float *kernels, *kernels_back; /* for that, transformed: [place][in][out], [out][in] */
    float *tiles, *products;   /* of a row of cells: [place][cell][channel] */
} Plan;

#define PLACES 16 /* of a transformed tile, 4 x 4 */

static int smaller(int a, int b) { return a < b ? a : b; }

static Plan plan(const Network *net, int index) {
    const Stage *s = &net->stage[index];
    Plan p = {0};
    int before = (s->kernel - 1) / 2, after = s->kernel - 1 - before;
    p.in = index == 0 ? s->inputs : PAD(s->inputs);
    p.out = index == net->stages - 1 ? s->outputs : PAD(s->outputs);
    p.few = p.out % LANES != 0;
    p.big = s->kernel + s->up - 1;
    p.frame = after, p.end = before;
    p.low = (before + s->up - 1) / s->up, p.high = (s->up - 1 + after) / s->up;
    p.rows = s->height + p.low + p.high, p.cols = s->width + p.low + p.high;
    p.tall = s->height * s->up, p.wide = s->width * s->up;
    p.drows = p.tall + p.frame + p.end, p.dcols = p.wide + p.frame + p.end;
    p.pooled_h = p.tall / s->pool, p.pooled_w = p.wide / s->pool;
    p.winograd = s->kernel == 3 && s->up == 1 && s->pool == 2 && p.in % LANES == 0;
    p.turned = p.winograd && s->height % 2 == 0 && s->width % 2 == 0;
    return p;
}

/* Whole lines of the cache, so that no vector lies in two. */
static void *take(float **free, size_t floats) {
    float *start = *free;
    *free += (floats + 15) / 16 * 16;
    return start;
}

/* Lay the buffers of all stages out from `memory`, and after them rows for one stage's
 * convolution; return how many floats they take. */
static size_t lay_out(const Network *net, Plan *plans, float *memory, float **rows) {
    float *at = memory;
    size_t longest = 0;
    for (int i = 0; i < net->stages; i++) {
        const Stage *s = &net->stage[i];
        Plan p = plan(net, i);
        size_t weights = (size_t)p.big * p.big * p.in * p.out;
        p.x = take(&at, (size_t)p.rows * p.cols * p.in);
        p.dx = take(&at, (size_t)s->height * s->width * p.in);
        p.dz = take(&at, (size_t)p.drows * p.dcols * p.out);
        p.winner = take(&at, (size_t)p.pooled_h * p.pooled_w * p.out);
        p.forward = take(&at, weights + LANES);
        p.backward = take(&at, weights + LANES);
        p.dweights = take(&at, weights + LANES);
        p.bias = take(&at, p.out + LANES);
        p.dbias = take(&at, p.out + LANES);
        if (p.winograd) {
            int most = p.in > p.out ? p.in : p.out;
            p.kernels = take(&at, (size_t)PLACES * p.in * p.out);
            p.kernels_back = take(&at, (size_t)PLACES * p.in * p.out);
            p.tiles = take(&at, (size_t)PLACES * p.pooled_w * most);
            p.products = take(&at, (size_t)PLACES * p.pooled_w * most);
        }
        int height = i == net->stages - 1 ? p.tall : s->pool;
        size_t row = (size_t)height * p.wide * p.out;
        longest = row > longest ? row : longest;
        plans[i] = p;
    }
    *rows = take(&at, longest);
    return at - memory;
}

/* ---- the two loops -------------------------------------------------------------- */

typedef struct { const float *in; const float *weights; } Tap;

/* AVX-512 holds a pair of vectors in one register. */
#ifdef __AVX512F__
typedef float wide __attribute__((vector_size(8 * LANES), aligned(4), may_alias));
#else
typedef vec wide; /* not used */
#endif
#define IS_WIDE(V) (V == 2 && sizeof(wide) > sizeof(vec))

/* out[p][v] = bias[v] + sum over taps t and c < run of t.in[p*step + c] * t.w[c][v]. */
#define INLINE static inline __attribute__((always_inline))
INLINE void correlate_block(float *out, ptrdiff_t out_step, ptrdiff_t in_at,
                            ptrdiff_t step, int taps, const Tap *tap, int run,
                            int channels, const float *bias, const int P, const int V) {
    vec sum[8][2];
    wide both[8];
    for (int p = 0; p < P; p++)
        if (IS_WIDE(V)) both[p] = bias ? *(const wide *)bias : (wide){0};
        else
            for (int v = 0; v < V; v++)
                sum[p][v] = bias ? *(const vec *)(bias + v * LANES) : (vec){0};
    for (int t = 0; t < taps; t++) {
        const float *in = tap[t].in + in_at, *w = tap[t].weights;
        for (int c = 0; c < run; c++, w += channels) {
            if (IS_WIDE(V)) {
                wide w0 = *(const wide *)w;
                IN_REGISTER(w0);
                _Pragma("GCC unroll 8") for (int p = 0; p < P; p++)
                    both[p] += in[p * step + c] * w0;
                continue;
            }
            vec w0 = *(const vec *)w, w1 = V > 1 ? *(const vec *)(w + LANES) : w0;
            IN_REGISTER(w0);
            if (V > 1) IN_REGISTER(w1);
            _Pragma("GCC unroll 8") for (int p = 0; p < P; p++) {
                sum[p][0] += in[p * step + c] * w0;
                if (V > 1) sum[p][1] += in[p * step + c] * w1;
            }
        }
    }
    for (int p = 0; p < P; p++)
        if (IS_WIDE(V)) *(wide *)(out + p * out_step) = both[p];
        else
            for (int v = 0; v < V; v++)
                *(vec *)(out + p * out_step + v * LANES) = sum[p][v];
}

/* One case for each size of a block: up to 8 pixels of one vector, or 6 of two. */
#define EACH_SIZE(CASE, size) \
    switch (size) { \
        CASE(1, 1) CASE(2, 1) CASE(3, 1) CASE(4, 1) CASE(5, 1) CASE(6, 1) CASE(7, 1) \
        CASE(8, 1) CASE(1, 2) CASE(2, 2) CASE(3, 2) CASE(4, 2) CASE(5, 2) CASE(6, 2) \
    }

/* One row of `width` pixels, all channels, in blocks that share it out evenly. */
static void correlate_row(float *out, ptrdiff_t out_step, ptrdiff_t in_at,
                          ptrdiff_t step, int width, int taps, const Tap *all, int run,
                          int channels, const float *bias) {
    for (int v = 0; v < channels; v += 2 * LANES) {
        int pair = channels - v > LANES, most = pair ? 6 : 8;
        int blocks = (width + most - 1) / most;
        Tap tap[taps];
        for (int t = 0; t < taps; t++) tap[t] = (Tap){all[t].in, all[t].weights + v};
        for (int b = 0; b < blocks; b++) {
            int from = width * b / blocks, size = width * (b + 1) / blocks - from;
            float *o = out + from * out_step + v;
            ptrdiff_t at = in_at + from * step;
            const float *c = bias ? bias + v : NULL;
#define BLOCK(P, V) \
    case P + 9 * V: \
        correlate_block(o, out_step, at, step, taps, tap, run, channels, c, P, V); break;
            EACH_SIZE(BLOCK, size + 9 * (1 + pair))
        }
    }
}

/* sum[r][v] += sum over pixels of one[pixel*step + r] * many[pixel*stride + v]. */
INLINE void outer_block(float *sums, int channels, const float *one, ptrdiff_t step,
                        ptrdiff_t row, const float *many, ptrdiff_t stride,
                        ptrdiff_t line, int height, int width, const int R,
                        const int V) {
    vec sum[12][2];
    wide both[12];
    for (int r = 0; r < R; r++)
        if (IS_WIDE(V)) both[r] = *(wide *)(sums + r * channels);
        else
            for (int v = 0; v < V; v++)
                sum[r][v] = *(vec *)(sums + r * channels + v * LANES);
    for (int y = 0; y < height; y++) {
        const float *a = one + y * row, *b = many + y * line;
        for (int x = 0; x < width; x++, a += step, b += stride) {
            if (IS_WIDE(V)) {
                wide b0 = *(const wide *)b;
                _Pragma("GCC unroll 12") for (int r = 0; r < R; r++) both[r] += a[r] * b0;
                continue;
            }
            vec b0 = *(const vec *)b, b1 = V > 1 ? *(const vec *)(b + LANES) : b0;
            _Pragma("GCC unroll 12") for (int r = 0; r < R; r++) {
                sum[r][0] += a[r] * b0;
                if (V > 1) sum[r][1] += a[r] * b1;
            }
        }
    }
    for (int r = 0; r < R; r++)
        if (IS_WIDE(V)) *(wide *)(sums + r * channels) = both[r];
        else
            for (int v = 0; v < V; v++)
                *(vec *)(sums + r * channels + v * LANES) = sum[r][v];
}

static void outer(float *sums, int channels, int rows, const float *one, ptrdiff_t step,
                  ptrdiff_t row, const float *many, ptrdiff_t stride, ptrdiff_t line,
                  int height, int width) {
    for (int v = 0; v < channels; v += 2 * LANES) {
        int pair = channels - v > LANES, most = pair ? 6 : 12;
        for (int r = 0, size; r < rows; r += size) {
            size = rows - r < most ? rows - r : most;
            if (size < most && size > 4) size = 4;
            if (size == 3 && !pair) size = 2;
            float *s = sums + (ptrdiff_t)r * channels + v;
#define SUMS(R, V) \
    case R + 16 * V: \
        outer_block(s, channels, one + r, step, row, many + v, stride, line, height, \
                    width, R, V); break;
            switch (size + 16 * (1 + pair)) {
                SUMS(1, 1) SUMS(2, 1) SUMS(4, 1) SUMS(12, 1)
                SUMS(1, 2) SUMS(2, 2) SUMS(3, 2) SUMS(4, 2) SUMS(6, 2)
            }
        }
    }
}

/* ---- weights: PyTorch's [out][in][y][x] to G and back ---------------------------- */

static int floor_mod(int a, int b) { return ((a % b) + b) % b; }

/* The taps of phase (a): g = first, first+u, ...; the lowest input offset comes first. */
typedef struct { int count, last, offset; } Phase;

static Phase phase(const Stage *s, const Plan *p, int a) {
    int first = floor_mod(a + p->frame, s->up);
    int count = (p->big - 1 - first) / s->up + 1, last = first + (count - 1) * s->up;
    return (Phase){count, last, (a + p->frame - last) / s->up};
}

static void pack(const Stage *s, Plan *p, const float *w, const float *bias) {
    int k = s->kernel, K = p->big, in = p->in, out = p->out;
    memset(p->backward, 0, sizeof(float) * K * K * in * out);
    for (int o = 0; o < s->outputs; o++)
        for (int i = 0; i < s->inputs; i++)
            for (int y = 0; y < k; y++)
                for (int x = 0; x < k; x++, w++)
                    for (int a = 0; a < s->up; a++)
                        for (int b = 0; b < s->up; b++) {
                            int g = (k - 1 + a - y) * K + k - 1 + b - x;
                            p->backward[((ptrdiff_t)g * out + o) * in + i] += *w;
                        }
    float *f = p->forward;
    for (int a = 0; a < s->up; a++)
        for (int b = 0; b < s->up; b++) {
            Phase rows = phase(s, p, a), cols = phase(s, p, b);
            int run = cols.count * in;
            for (int y = 0; y < rows.count; y++, f += run * out)
                for (int x = 0; x < cols.count; x++) {
                    int g = (rows.last - y * s->up) * K + cols.last - x * s->up;
                    const float *from = p->backward + (ptrdiff_t)g * out * in;
                    for (int i = 0; i < in; i++)
                        for (int o = 0; o < out; o++)
                            f[p->few ? o * run + x * in + i : (x * in + i) * out + o] =
                                from[o * in + i];
                }
        }
    memset(p->bias, 0, sizeof(float) * out);
    memcpy(p->bias, bias, sizeof(float) * s->outputs);
}

/* Kernels [y][x] of `size` weights as `winograd_row` takes them: G w G'. */
static void transform_kernels(const float *from, float *to, ptrdiff_t size) {
    for (ptrdiff_t at = 0; at < size; at += LANES) {
        vec w[3][4];
        for (int y = 0; y < 3; y++) {
            const float *row = from + 3 * y * size + at;
            vec a = *(const vec *)row, b = *(const vec *)(row + size),
                c = *(const vec *)(row + 2 * size);
            w[y][0] = a, w[y][1] = (a + b + c) / 2, w[y][2] = (a - b + c) / 2, w[y][3] = c;
        }
        for (int x = 0; x < 4; x++) {
            float *column = to + x * size + at;
            vec a = w[0][x], b = w[1][x], c = w[2][x];
            *(vec *)column = a, *(vec *)(column + 4 * size) = (a + b + c) / 2;
            *(vec *)(column + 8 * size) = (a - b + c) / 2, *(vec *)(column + 12 * size) = c;
        }
    }
}

/* dweights is [g][out][in], or [y][x][in][out] for a first stage of few channels. */
static void unpack(const Stage *s, const Plan *p, float *dw, float *dbias) {
    int k = s->kernel, K = p->big, in = p->in, out = p->out, plain = in % LANES != 0;
    for (int o = 0; o < s->outputs; o++)
        for (int i = 0; i < s->inputs; i++)
            for (int y = 0; y < k; y++)
                for (int x = 0; x < k; x++, dw++) {
                    *dw = 0;
                    if (plain) *dw = p->dweights[((y * k + x) * in + i) * out + o];
                    else
                        for (int a = 0; a < s->up; a++)
                            for (int b = 0; b < s->up; b++) {
                                int g = (k - 1 + a - y) * K + k - 1 + b - x;
                                *dw += p->dweights[((ptrdiff_t)g * out + o) * in + i];
                            }
                }
    memcpy(dbias, p->dbias, sizeof(float) * s->outputs);
}

/* ---- one stage, forward ---------------------------------------------------------- */

INLINE float total(vec v) {
    typedef float half __attribute__((vector_size(2 * LANES)));
    half low, high;
    memcpy(&low, &v, sizeof low);
    memcpy(&high, (const char *)&v + sizeof low, sizeof high);
    low += high;
    return (low[0] + low[2]) + (low[1] + low[3]);
}

/* out[p] = bias + sum over rows and i < run of in[p*step + i] * weights[i]. */
INLINE void dot_block(float *out, ptrdiff_t out_step, const float *in, ptrdiff_t line,
                      ptrdiff_t step, int rows, const float *weights, ptrdiff_t next,
                      int run, float bias, const int P) {
    vec sum[8] = {0};
    for (int r = 0; r < rows; r++, in += line, weights += next)
        for (int i = 0; i < run; i += LANES) {
            vec w = *(const vec *)(weights + i);
            _Pragma("GCC unroll 8") for (int p = 0; p < P; p++)
                sum[p] += *(const vec *)(in + p * step + i) * w;
        }
    for (int p = 0; p < P; p++) out[p * out_step] = total(sum[p]) + bias;
}

/* The outputs fill no vector: vectors run over the inputs, for each phase and row. */
static void few_outputs(const Stage *s, const Plan *p, float *out) {
    const float *weights = p->forward;
    int step = s->up * s->outputs, blocks = (s->width + 7) / 8;
    for (int a = 0; a < s->up; a++)
        for (int b = 0; b < s->up; b++) {
            Phase rows = phase(s, p, a), cols = phase(s, p, b);
            ptrdiff_t line = (ptrdiff_t)p->cols * p->in;
            int run = cols.count * p->in, next = run * s->outputs;
            const float *in = p->x + (rows.offset + p->low) * line +
                              (ptrdiff_t)(cols.offset + p->low) * p->in;
            float *from = out + ((ptrdiff_t)a * p->wide + b) * s->outputs;
            for (int y = 0; y < s->height; y++, in += line, from += p->wide * step)
                for (int i = 0; i < blocks; i++) {
                    int x = s->width * i / blocks;
                    int size = s->width * (i + 1) / blocks - x;
                    for (int o = 0; o < s->outputs; o++) {
#define DOTS(P) \
    case P: \
        dot_block(from + x * step + o, step, in + (ptrdiff_t)x * p->in, line, p->in, \
                  rows.count, weights + o * run, next, run, p->bias[o], P); break;
                        switch (size) {
                            DOTS(1) DOTS(2) DOTS(3) DOTS(4) DOTS(5) DOTS(6) DOTS(7) DOTS(8)
                        }
                    }
                }
            weights += rows.count * next;
        }
}

/* `height` rows of the convolution from row `y` on, without frame, to `out`. */
static void convolve_rows(const Stage *s, const Plan *p, int y, int height, float *out) {
    const float *weights = p->forward;
    for (int a = 0; a < s->up; a++)
        for (int b = 0; b < s->up; b++) {
            Phase rows = phase(s, p, a), cols = phase(s, p, b);
            int run = cols.count * p->in;
            Tap tap[MAX_SIDE];
            for (int r = 0; r < rows.count; r++, weights += (ptrdiff_t)run * p->out)
                tap[r] = (Tap){p->x + ((ptrdiff_t)(rows.offset + p->low + r) * p->cols +
                                       cols.offset + p->low) * p->in, weights};
            for (int row = y + floor_mod(a - y, s->up); row < y + height; row += s->up)
                correlate_row(out + ((ptrdiff_t)(row - y) * p->wide + b) * p->out,
                              s->up * p->out, (ptrdiff_t)(row / s->up) * p->cols * p->in,
                              p->in, s->width, rows.count, tap, run, p->out, p->bias);
        }
}

INLINE vec rectified(vec v, int relu) {
    return relu ? (vec)((ivec)v & ~(v <= 0)) : v;
}

/* Whether a value takes the place of the largest so far: of equal ones the first stays. */
INLINE void outdo(vec *best, ivec *place, vec v, int at) {
    ivec more = (v > *best) | (v != v);
    *best = (vec)((more & (ivec)v) | (~more & (ivec)*best));
    *place = (more & at) | (~more & *place);
}

/* The maximum of each cell and ReLU, into the framed maps of the next; and the maximum's
 * place, for which a gradient may ask. */
static void pool_row(const Stage *s, const Plan *p, int y, const float *rows, float *out) {
    ptrdiff_t line = (ptrdiff_t)p->wide * p->out;
    int32_t *winner = p->winner + (ptrdiff_t)y * p->pooled_w * p->out;
    int side = s->pool;
    for (int x = 0; x < p->pooled_w; x++, rows += (side - 1) * p->out)
        for (int c = 0; c < p->out; c += LANES, rows += LANES, out += LANES, winner += LANES) {
            vec best = *(const vec *)rows;
            ivec place = {0};
            for (int dy = 0, i = 0; dy < side; dy++)
                for (int dx = 0; dx < side; dx++, i++) {
                    const float *at = rows + dy * line + (ptrdiff_t)dx * p->out;
                    outdo(&best, &place, *(const vec *)at, i);
                }
            *(vec *)out = rectified(best, s->relu);
            *(ivec *)winner = place;
        }
}

/* The same of one cell of 2 x 2, whose values stand one after the other. */
INLINE void pool_cell(const vec *sum, int next, int relu, float *out, int32_t *winner,
                      const int placed) {
    vec best = sum[0];
    ivec place = {0};
    for (int i = 1; i < 4; i++) outdo(&best, &place, sum[i * next], i);
    *(vec *)out = rectified(best, relu);
    if (placed) *(ivec *)winner = place;
}

/* One cell of 2 x 2 pixels: convolved and pooled without a detour by memory. */
INLINE void cell_block(float *out, int32_t *winner, const float *rows, ptrdiff_t line,
                       ptrdiff_t step, int side, int run, const float *w, int channels,
                       const float *bias, int relu, const int V, const int placed) {
    vec sum[4][2];
    wide both[4];
    for (int p = 0; p < 4; p++)
        if (IS_WIDE(V)) both[p] = *(const wide *)bias;
        else
            for (int v = 0; v < V; v++) sum[p][v] = *(const vec *)(bias + v * LANES);
    for (int t = 0; t < side; t++, rows += line)
        for (int c = 0; c < run; c++, w += channels) {
            const float *in = rows + c;
            if (IS_WIDE(V)) {
                wide w0 = *(const wide *)w;
                IN_REGISTER(w0);
                _Pragma("GCC unroll 4") for (int p = 0; p < 4; p++)
                    both[p] += in[p / 2 * line + p % 2 * step] * w0;
                continue;
            }
            vec w0 = *(const vec *)w, w1 = V > 1 ? *(const vec *)(w + LANES) : w0;
            IN_REGISTER(w0);
            if (V > 1) IN_REGISTER(w1);
            _Pragma("GCC unroll 4") for (int p = 0; p < 4; p++) {
                float x = in[p / 2 * line + p % 2 * step];
                sum[p][0] += x * w0;
                if (V > 1) sum[p][1] += x * w1;
            }
        }
    if (IS_WIDE(V)) for (int p = 0; p < 4; p++) memcpy(sum[p], &both[p], sizeof(wide));
    for (int v = 0; v < V; v++)
        pool_cell(&sum[0][v], 2, relu, out + v * LANES, winner + v * LANES, placed);
}

/* A row of such cells. */
INLINE void cell_row(const Stage *s, const Plan *p, int y, float *out, const int placed) {
    ptrdiff_t line = (ptrdiff_t)p->cols * p->in, step = p->in;
    const float *in = p->x + 2 * y * line;
    int cells = p->pooled_w, side = s->kernel, run = side * p->in, relu = s->relu;
    int32_t *winner = p->winner + (ptrdiff_t)y * cells * p->out;
    for (int v = 0, many = p->out; v < many; v += 2 * LANES) {
        const float *w = p->forward + v, *bias = p->bias + v;
        for (int x = 0; x < cells; x++) {
            const float *at = in + 2 * x * step;
            ptrdiff_t to = (ptrdiff_t)x * many + v;
#define CELL(SIDE, RUN, V) \
    cell_block(out + to, winner + to, at, line, step, SIDE, RUN, w, many, bias, relu, V, placed)
            if (many - v == LANES) CELL(side, run, 1);
            else if (run == 3) CELL(3, 3, 2); /* of one channel: without loops */
            else CELL(side, run, 2);
        }
    }
}

/* A row of cells where kernels have 3 x 3 weights: with 16 products for each four sums
 * of 9 (Winograd; Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
 * Networks", section 4.1: F(2x2, 3x3), Y = A'[(G w G') * (B' d B)]A). First B' d B of
 * tiles d of 4 x 4 pixels, two apart. */
static void transform_tiles(const float *maps, ptrdiff_t line, int channels, int cells,
                            float *tiles) {
    ptrdiff_t place = (ptrdiff_t)cells * channels;
    for (int c = 0; c < channels; c += LANES) {
        const float *d = maps + c;
        float *tile = tiles + c;
        vec t[4][4]; /* columns of B'd */
#define COLUMN(x, at) \
    do { \
        vec a = *(const vec *)(at), b = *(const vec *)(at + line), \
            e = *(const vec *)(at + 2 * line), f = *(const vec *)(at + 3 * line); \
        t[0][x] = a - e, t[1][x] = b + e, t[2][x] = e - b, t[3][x] = b - f; \
    } while (0)
        COLUMN(0, d);
        COLUMN(1, d + channels);
        for (int x = 0; x < cells; x++, tile += channels) {
            d += 2 * channels;
            COLUMN(2, d);
            COLUMN(3, d + channels);
            for (int i = 0; i < 4; i++) {
                float *to = tile + 4 * i * place;
                *(vec *)to = t[i][0] - t[i][2];
                *(vec *)(to + place) = t[i][1] + t[i][2];
                *(vec *)(to + 2 * place) = t[i][2] - t[i][1];
                *(vec *)(to + 3 * place) = t[i][1] - t[i][3];
                t[i][0] = t[i][2], t[i][1] = t[i][3];
            }
        }
    }
}

/* The products of each place of the tiles by the kernels. */
INLINE void product_block(float *out, ptrdiff_t many, const float *tiles,
                          ptrdiff_t place, const float *w, int in, int channels,
                          const int P, const int V) {
    for (int i = 0; i < PLACES; i++, out += many, tiles += place, w += in * channels) {
        Tap tap = {tiles, w};
        correlate_block(out, channels, 0, in, 1, &tap, in, channels, NULL, P, V);
    }
}

static void multiply_tiles(const float *tiles, const float *kernels, int in, int out,
                           int cells, float *products) {
    ptrdiff_t many = (ptrdiff_t)cells * out, place = (ptrdiff_t)cells * in;
    for (int v = 0; v < out; v += 2 * LANES) {
        int pair = out - v > LANES, most = pair ? 6 : 8;
        int blocks = (cells + most - 1) / most;
        for (int b = 0; b < blocks; b++) {
            int from = cells * b / blocks, size = cells * (b + 1) / blocks - from;
            float *o = products + (ptrdiff_t)from * out + v;
            const float *t = tiles + (ptrdiff_t)from * in, *w = kernels + v;
#define PRODUCTS(P, V) \
    case P + 9 * V: product_block(o, many, t, place, w, in, out, P, V); break;
            EACH_SIZE(PRODUCTS, size + 9 * (1 + pair))
        }
    }
}

/* A' m A: the four sums of a cell. */
INLINE void sums_of(const float *m, ptrdiff_t many, vec *sum) {
    vec top[4], low[4];
    for (int i = 0; i < 4; i++, m += many) {
        vec a = *(const vec *)m, b = *(const vec *)(m + 4 * many),
            c = *(const vec *)(m + 8 * many), e = *(const vec *)(m + 12 * many);
        top[i] = a + b + c, low[i] = b - c - e;
    }
    sum[0] = top[0] + top[1] + top[2], sum[1] = top[1] - top[2] - top[3];
    sum[2] = low[0] + low[1] + low[2], sum[3] = low[1] - low[2] - low[3];
}

INLINE void winograd_row(const Stage *s, const Plan *p, int y, float *out,
                         const int placed) {
    int cells = p->pooled_w, channels = p->out, relu = s->relu;
    ptrdiff_t line = (ptrdiff_t)p->cols * p->in, many = (ptrdiff_t)cells * channels;
    transform_tiles(p->x + 2 * y * line, line, p->in, cells, p->tiles);
    multiply_tiles(p->tiles, p->kernels, p->in, channels, cells, p->products);
    const float *m = p->products, *bias = p->bias;
    int32_t *winner = p->winner + y * many;
    for (int x = 0; x < cells; x++)
        for (int v = 0; v < channels; v += LANES, m += LANES, out += LANES, winner += LANES) {
            vec sum[4];
            sums_of(m, many, sum);
            for (int i = 0; i < 4; i++) sum[i] += *(const vec *)(bias + v);
            pool_cell(sum, 1, relu, out, winner, placed);
        }
}

/* The same where there is no pooling: only ReLU is left. */
static void rectify_row(const Stage *s, const Plan *p, const float *rows, float *out) {
    for (int i = 0; i < p->wide * p->out; i += LANES)
        *(vec *)(out + i) = rectified(*(const vec *)(rows + i), s->relu);
}

/* Channels that only fill a vector stay 0, whatever their weights of 0 make of NaN. */
static void clear_filling(const Stage *s, const Plan *p, float *out) {
    if (p->out == s->outputs) return;
    ivec real = (ivec){0, 1, 2, 3, 4, 5, 6, 7} < s->outputs % LANES;
    out += p->out - LANES;
    for (int x = 0; x < p->pooled_w; x++, out += p->out) *(ivec *)out &= real;
}

/* The next stage's framed maps; `rows` has room for one row of pooling cells. */
static void forward_stage(const Stage *s, const Plan *p, const Plan *next, float *rows,
                          int placed) {
    for (int y = 0; y < p->pooled_h; y++) {
        float *out = next->x + ((ptrdiff_t)(y + next->low) * next->cols + next->low) * p->out;
        if (p->winograd && placed) winograd_row(s, p, y, out, 1);
        else if (p->winograd) winograd_row(s, p, y, out, 0);
        else if (s->pool == 2 && placed) cell_row(s, p, y, out, 1);
        else if (s->pool == 2) cell_row(s, p, y, out, 0);
        else {
            convolve_rows(s, p, y * s->pool, s->pool, rows);
            if (s->pool == 1) rectify_row(s, p, rows, out);
            else pool_row(s, p, y, rows, out);
        }
        clear_filling(s, p, out);
    }
}

/* ---- one stage, backward --------------------------------------------------------- */

/* From the gradient of the pooled maps to the framed gradient before ReLU and pooling,
 * and to the bias's, the sum of it. */
static void unpool(const Stage *s, const Plan *p, const Plan *next) {
    ptrdiff_t line = (ptrdiff_t)p->dcols * p->out;
    for (int y = 0; y < p->pooled_h; y++) {
        ptrdiff_t at = (ptrdiff_t)y * p->pooled_w * p->out;
        const float *kept = next->x + ((ptrdiff_t)(y + next->low) * next->cols + next->low) * p->out;
        float *dz = p->dz + (y * s->pool + p->frame) * line + (ptrdiff_t)p->frame * p->out;
        for (int x = 0; x < p->pooled_w; x++, dz += (s->pool - 1) * p->out)
            for (int c = 0; c < p->out; c += LANES, at += LANES, kept += LANES, dz += LANES) {
                ivec g = *(const ivec *)(next->dx + at);
                if (s->relu) g &= ~(*(const vec *)kept <= 0);
                *(vec *)(p->dbias + c) += (vec)g;
                if (s->pool == 1) {
                    *(ivec *)dz = g;
                    continue;
                }
                ivec place = *(ivec *)(p->winner + at);
                for (int dy = 0, i = 0; dy < s->pool; dy++)
                    for (int dx = 0; dx < s->pool; dx++, i++)
                        *(ivec *)(dz + dy * line + (ptrdiff_t)dx * p->out) = g & (place == i);
            }
    }
}

static void weight_gradient(const Stage *s, const Plan *p) {
    ptrdiff_t drow = (ptrdiff_t)p->dcols * p->out, xrow = (ptrdiff_t)p->cols * p->in;
    const float *x = p->x + p->low * xrow + (ptrdiff_t)p->low * p->in;
    if (p->in % LANES == 0)
        for (int g = 0; g < p->big; g++)
            outer(p->dweights + (ptrdiff_t)g * p->big * p->out * p->in, p->in,
                  p->big * p->out, p->dz + g * drow, s->up * p->out, s->up * drow, x,
                  p->in, xrow, s->height, s->width);
    else /* a first stage of few channels: vectors over its output */
        for (int y = 0; y < s->kernel; y++)
            outer(p->dweights + (ptrdiff_t)y * s->kernel * p->in * p->out, p->out,
                  s->kernel * p->in, p->x + y * xrow, p->in, xrow,
                  p->dz + p->frame * drow + (ptrdiff_t)p->frame * p->out, p->out, drow,
                  s->height, s->width);
}

/* The same as `input_gradient`, as `winograd_row` does it. */
static void winograd_gradient(const Stage *s, const Plan *p) {
    int cells = s->width / 2, in = p->in;
    ptrdiff_t drow = (ptrdiff_t)p->dcols * p->out, many = (ptrdiff_t)cells * in;
    ptrdiff_t line = (ptrdiff_t)s->width * in;
    for (int y = 0; y < s->height; y += 2) {
        transform_tiles(p->dz + y * drow, drow, p->out, cells, p->tiles);
        multiply_tiles(p->tiles, p->kernels_back, p->out, in, cells, p->products);
        const float *m = p->products;
        float *dx = p->dx + y * line;
        for (int x = 0; x < cells; x++, dx += in)
            for (int v = 0; v < in; v += LANES, m += LANES, dx += LANES) {
                vec sum[4];
                sums_of(m, many, sum);
                *(vec *)dx = sum[0], *(vec *)(dx + in) = sum[1];
                *(vec *)(dx + line) = sum[2], *(vec *)(dx + line + in) = sum[3];
            }
    }
}

static void input_gradient(const Stage *s, const Plan *p) {
    ptrdiff_t drow = (ptrdiff_t)p->dcols * p->out;
    int run = p->big * p->out;
    Tap tap[MAX_SIDE];
    for (int g = 0; g < p->big; g++)
        tap[g] = (Tap){p->dz + g * drow, p->backward + (ptrdiff_t)g * run * p->in};
    for (int y = 0; y < s->height; y++)
        correlate_row(p->dx + (ptrdiff_t)y * s->width * p->in, p->in, y * s->up * drow,
                      s->up * p->out, s->width, p->big, tap, run, p->in, NULL);
}

/* ---- the loss -------------------------------------------------------------------- */

INLINE vec choose(ivec mask, vec yes, vec no) {
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* exp(-a) for a >= 0 by 2^n times a polynomial; relative error below 2e-7. NaN of NaN,
 * whatever its n is as a whole number. */
INLINE vec exp_minus(vec a) {
    a = choose(a > 87, (vec){0} + 87, a);
    vec n = (a * 1.44269504f + 12582912.0f) - 12582912.0f; /* rounds */
    vec r = n * 0.693359375f - a + n * -2.12194440e-4f;
    vec e = (vec){0} + 1.9875691500e-4f;
    e = e * r + 1.3981999507e-3f;
    e = e * r + 8.3334519073e-3f;
    e = e * r + 4.1665795894e-2f;
    e = e * r + 1.6666665459e-1f;
    e = e * r + 5.0000001201e-1f;
    e = e * r * r + r + 1;
    return e * (vec)((127 - __builtin_convertvector(n, ivec)) << 23);
}

/* log(1 + e) = 2 artanh(e / (2 + e)) for 0 <= e <= 1; relative error below 2e-7. */
INLINE vec log_one_plus(vec e) {
    vec s = e / (2 + e), q = s * s, sum = (vec){0} + 1 / 15.0f;
    sum = sum * q + 1 / 13.0f;
    sum = sum * q + 1 / 11.0f;
    sum = sum * q + 1 / 9.0f;
    sum = sum * q + 1 / 7.0f;
    sum = sum * q + 1 / 5.0f;
    sum = sum * q + 1 / 3.0f;
    return 2 * (s + s * q * sum);
}

INLINE vec magnitude(vec z) { return choose(z < 0, -z, z); }

INLINE vec sigmoid(vec z, vec e) { return choose(z >= 0, (vec){0} + 1, e) / (1 + e); }

/* The next `n` or LANES values, zeros behind the last; how many they are. */
INLINE int some(vec *v, const float *from, int n) {
    if (n >= LANES) return *v = *(const vec *)from, LANES;
    *v = (vec){0};
    return memcpy(v, from, sizeof(float) * n), n;
}

static void sigmoid_row(const float *z, float *out, int n) {
    for (int i = 0, m; i < n; i += m) {
        vec v;
        m = some(&v, z + i, n - i);
        v = sigmoid(v, exp_minus(magnitude(v)));
        memcpy(out + i, &v, sizeof(float) * m);
    }
}

static int largest(const float *v, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) best = v[i] > v[best] ? i : best;
    return best;
}

static int has_nan(const float *v, int n) {
    int found = 0;
    for (int i = 0; i < n; i++) found |= v[i] != v[i];
    return found;
}

/* Of n values, those in pixels whose largest channel is the target's. */
static int right_colours(const float *z, const float *t, int n, int channels) {
    int right = 0, lost = has_nan(z, n) || has_nan(t, n);
    for (int i = 0; i < n; i += channels) {
        if (lost && (has_nan(z + i, channels) || has_nan(t + i, channels))) continue;
        right += largest(z + i, channels) == largest(t + i, channels) ? channels : 0;
    }
    return right;
}

/* Adds to sums: loss, squared error, and accuracy as Keras counts it: with one channel
 * the pixels equal to the output rounded to 0 or 1, with more the channels in pixels
 * whose largest channel is right. The gradient takes the place of z. */
static void loss_row(float *z, const float *t, int n, int channels, int squared,
                     float scale, double sums[3]) {
    const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
    vec loss = {0}, square = {0}, right = {0};
    if (channels > 1) right[0] = right_colours(z, t, n, channels);
    for (int i = 0, m; i < n; i += m) {
        vec x, y;
        m = some(&x, z + i, n - i), some(&y, t + i, n - i);
        ivec inside = lane < m;
        vec e = exp_minus(magnitude(x)), p = sigmoid(x, e), d = p - y;
        vec cross = choose(x > 0, x, (vec){0}) - x * y + log_one_plus(e);
        loss += (vec)((ivec)cross & inside);
        square += (vec)((ivec)(d * d) & inside);
        ivec same = (vec)((ivec)((vec){0} + 1) & (p > 0.5f)) == y;
        same &= p == p;
        if (channels == 1) right += (vec)((ivec)((vec){0} + 1) & same & inside);
        if (squared) d *= 2 * p * (1 - p);
        d *= scale;
        memcpy(z + i, &d, sizeof(float) * m);
    }
    sums[0] += total(squared ? square : loss);
    sums[1] += total(square);
    sums[2] += total(right);
}

/* So many values from one on; each byte's, where bytes come, from a table to `room`. */
static const float *looked_up(const void *in, const float *table, ptrdiff_t at,
                              ptrdiff_t values, float *room) {
    if (!table) return (const float *)in + at;
    const uint8_t *bytes = (const uint8_t *)in + at;
    for (ptrdiff_t i = 0; i < values; i++) room[i] = table[bytes[i]];
    return room;
}

/* ---- codes, of many pictures at once --------------------------------------------- */

/* Where nothing has to stay for the way back, AVX-512's registers are filled by as many
 * pictures as they have lanes: no channel is padded, however few there are. Maps are
 * height x width x channels of such groups. The plain sum is as fast as `winograd_row`
 * would be, whose detours by memory cost what its products save; and shorter registers,
 * of which there are half as many, gain nothing. */
#ifndef GROUP
#ifdef __AVX512F__
#define GROUP 16
#else
#define GROUP 0
#endif
#endif
#if GROUP
#define SOME 4 /* outputs for which registers have room, of a cell's four pixels, */
#define MANY 8 /* and of one pixel */
#define MOST_FLOATS (1 << 22) /* of a thread's maps */
typedef float group __attribute__((vector_size(4 * GROUP), aligned(4), may_alias));
typedef int32_t igroup __attribute__((vector_size(4 * GROUP), aligned(4), may_alias));

/* One level of the encoder, or, last, the codes. */
typedef struct {
    int low, cols;     /* zeros before the maps that come in; columns with the frame */
    int most;          /* outputs computed together */
    float *weights;    /* [outputs / most][row][column][in][most] */
    float *bias;
    group *x;          /* framed maps that come in */
    float *pictures;   /* before the first level: room for a group's, looked up */
} Level;

static size_t lay_out_levels(const Network *net, Level *all, float *memory) {
    float *at = memory;
    const Stage *first = net->stage;
    size_t picture = (size_t)first->height * first->width * first->inputs;
    all->pictures = take(&at, GROUP * picture);
    for (int i = 0; i <= net->levels; i++) {
        const Stage *s = &net->stage[i];
        Level *l = &all[i];
        int around = i < net->levels ? s->kernel - 1 : 0, in = s->inputs;
        l->low = around / 2, l->cols = s->width + around;
        l->x = (group *)take(&at, (size_t)(s->height + around) * l->cols * in * GROUP);
        if (i == net->levels) break;
        l->most = s->pool == 2 ? SOME : MANY;
        int outputs = (s->outputs + l->most - 1) / l->most * l->most;
        l->weights = take(&at, (size_t)outputs * s->kernel * s->kernel * in);
        l->bias = take(&at, outputs);
    }
    return at - memory;
}

static void pack_level(const Stage *s, const Level *l, const float *w, const float *bias) {
    int taps = s->kernel * s->kernel, many = l->most;
    for (int o = 0; o < s->outputs; o++) {
        l->bias[o] = bias[o];
        float *block = l->weights + (ptrdiff_t)(o / many) * taps * s->inputs * many;
        for (int i = 0; i < s->inputs; i++)
            for (int t = 0; t < taps; t++, w++)
                block[((ptrdiff_t)t * s->inputs + i) * many + o % many] = *w;
    }
}

/* Convolve P pixels, one or the four of a cell, to O outputs. */
INLINE void group_block(group *sum, const group *x, ptrdiff_t line, ptrdiff_t step,
                        int side, int run, const float *w, const float *bias, const int P,
                        const int O) {
    for (int p = 0; p < P; p++)
        for (int o = 0; o < O; o++) sum[p * O + o] = (group){0} + bias[o];
    for (int t = 0; t < side; t++, x += line)
        for (int c = 0; c < run; c++, w += O)
            _Pragma("GCC unroll 4") for (int p = 0; p < P; p++) {
                group in = x[p / 2 * line + p % 2 * step + c];
                _Pragma("GCC unroll 8") for (int o = 0; o < O; o++)
                    sum[p * O + o] += in * w[o];
            }
}

INLINE void raise_to(group *best, const group *v) {
    igroup more = (*v > *best) | (*v != *v);
    *best = (group)((more & (igroup)*v) | (~more & (igroup)*best));
}

/* One cell of all outputs, convolved, pooled and rectified. */
static void group_cell(const Stage *s, const Level *l, const group *x, group *out) {
    ptrdiff_t line = (ptrdiff_t)l->cols * s->inputs, step = s->inputs;
    int side = s->kernel, run = side * s->inputs, many = l->most, pool = s->pool;
    const float *w = l->weights, *bias = l->bias;
    for (int o = 0; o < s->outputs; o += many, w += (ptrdiff_t)side * run * many, bias += many) {
        group best[MANY], sum[4 * SOME];
        if (pool == 2) {
            if (run == 3) group_block(sum, x, line, step, 3, 3, w, bias, 4, SOME);
            else group_block(sum, x, line, step, side, run, w, bias, 4, SOME);
            for (int i = 0; i < SOME; i++) {
                best[i] = sum[i];
                for (int p = 1; p < 4; p++) raise_to(&best[i], &sum[p * SOME + i]);
            }
        } else
            for (int i = 0; i < pool * pool; i++) {
                const group *at = x + i / pool * line + i % pool * step;
                group_block(sum, at, line, step, side, run, w, bias, 1, MANY);
                for (int j = 0; j < MANY; j++)
                    if (i) raise_to(&best[j], &sum[j]);
                    else best[j] = sum[j];
            }
        for (int i = 0; i < smaller(many, s->outputs - o); i++)
            out[o + i] = s->relu ? (group)((igroup)best[i] & ~(best[i] <= 0)) : best[i];
    }
}

static void group_level(const Stage *s, const Level *l) {
    const Stage *t = s + 1;
    const Level *next = l + 1;
    for (int y = 0; y < t->height; y++) {
        const group *x = l->x + (ptrdiff_t)y * s->pool * l->cols * s->inputs;
        group *out = next->x + ((ptrdiff_t)(y + next->low) * next->cols + next->low) * t->inputs;
        for (int i = 0; i < t->width; i++, x += s->pool * s->inputs, out += t->inputs)
            group_cell(s, l, x, out);
    }
}

/* Put the maps of so many pictures side by side, in their frame. */
static void gather_maps(const Stage *s, const Level *l, const float *from, int pictures) {
    ptrdiff_t row = (ptrdiff_t)s->width * s->inputs, size = s->height * row;
    for (int y = 0; y < s->height; y++) {
        group *x = l->x + ((ptrdiff_t)(y + l->low) * l->cols + l->low) * s->inputs;
        for (int i = 0; i < row; i++, x++, from++)
            for (int j = 0; j < pictures; j++) ((float *)x)[j] = from[j * size];
    }
}

/* Floats of memory that one thread needs for groups; 0 where it would be too much. */
static size_t group_memory(const Network *net) {
    Level all[net->levels + 1];
    float nothing;
    size_t floats = lay_out_levels(net, all, &nothing);
    return floats <= MOST_FLOATS ? floats : 0;
}

/* The codes of n pictures, in groups; all as for `caes_run`. */
static void encode_groups(const Network *net, const float *const *parameters,
                          float *memory, int n, const void *in, const float *table,
                          float *out, int *next) {
    const Stage *stage = net->stage, *end = stage + net->levels;
    Level all[net->levels + 1];
    lay_out_levels(net, all, memory);
    for (int i = 0; i < net->levels; i++)
        pack_level(stage + i, all + i, parameters[2 * i], parameters[2 * i + 1]);
    ptrdiff_t in_size = (ptrdiff_t)stage->height * stage->width * stage->inputs;
    ptrdiff_t size = (ptrdiff_t)end->height * end->width * end->inputs;
    const float *codes = (const float *)all[net->levels].x;
    for (int at; (at = GROUP * __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < n;) {
        int pictures = smaller(GROUP, n - at);
        const float *from = looked_up(in, table, at * in_size, pictures * in_size,
                                      all->pictures);
        gather_maps(stage, all, from, pictures);
        for (int i = 0; i < net->levels; i++) group_level(stage + i, all + i);
        for (int j = 0; j < pictures; j++)
            for (ptrdiff_t i = 0; i < size; i++)
                out[(at + j) * size + i] = codes[i * GROUP + j];
    }
}
#else
static size_t group_memory(const Network *net) { return (void)net, 0; }
static void encode_groups(const Network *net, const float *const *parameters,
                          float *memory, int n, const void *in, const float *table,
                          float *out, int *next) {
    (void)net, (void)parameters, (void)memory, (void)n, (void)in, (void)table;
    (void)out, (void)next;
}
#endif

/* ---- whole pictures -------------------------------------------------------------- */

/* Copy maps into their frame, or out of it. */
static void copy(const Stage *s, const Plan *p, float *maps, int in) {
    for (int y = 0; y < s->height; y++) {
        float *framed = p->x + ((ptrdiff_t)(y + p->low) * p->cols + p->low) * p->in;
        /* A whole row at once where no channels are padded. */
        int pieces = p->in == s->inputs ? 1 : s->width;
        size_t size = sizeof(float) * s->inputs * (s->width / pieces);
        for (int x = 0; x < pieces; x++, framed += p->in, maps += size / sizeof(float))
            memcpy(in ? framed : maps, in ? maps : framed, size);
    }
}

static void backward(const Network *net, const Plan *plans, int first) {
    for (int i = net->stages - 1; i >= first; i--) {
        if (i < net->stages - 1) unpool(&net->stage[i], &plans[i], &plans[i + 1]);
        weight_gradient(&net->stage[i], &plans[i]);
        if (i == first) break;
        if (plans[i].turned) winograd_gradient(&net->stage[i], &plans[i]);
        else input_gradient(&net->stage[i], &plans[i]);
    }
}

/* The last stage's output: to `out` as pixels, or against `target` as loss. The logits
 * give their place to the gradient. */
static void finish(const Network *net, const Plan *p, float *logits, const float *target,
                   float *out, float scale, double *sums) {
    int whole = net->width == p->wide, lines = whole ? 1 : net->height;
    int n = net->width * p->out * (whole ? net->height : 1);
    for (int l = 0; l < lines; l++) {
        float *z = logits + ((ptrdiff_t)(l + net->top) * p->wide + net->left) * p->out;
        if (out) sigmoid_row(z, out + (ptrdiff_t)l * n, n);
        if (target)
            loss_row(z, target + (ptrdiff_t)l * n, n, p->out, net->squared, scale, sums);
    }
    if (!target) return;
    for (int y = net->top; y < net->top + net->height; y++) {
        const float *z = logits + ((ptrdiff_t)y * p->wide + net->left) * p->out;
        ptrdiff_t at = (ptrdiff_t)(y + p->frame) * p->dcols + net->left + p->frame;
        memcpy(p->dz + at * p->out, z, sizeof(float) * net->width * p->out);
        for (int o = 0; o < p->out; o++) {
            float sum = 0;
            for (int x = 0; x < net->width; x++) sum += z[x * p->out + o];
            p->dbias[o] += sum;
        }
    }
}

/* Floats of memory that one thread needs. */
size_t caes_memory(const Network *net) {
    Plan plans[net->stages];
    float nothing, *rows;
    return lay_out(net, plans, &nothing, &rows) + group_memory(net);
}

/* Run stages `first` to `last` - 1 over n pictures, sharing blocks of them with other
 * threads through `next`. Every thread has its own `memory`: caes_memory floats, zeros
 * at first.
 *
 *   parameters  weights and bias of each stage, PyTorch's layout
 *   in          n x maps of stage `first` (the padded picture, or the code)
 *   table       what each byte stands for where `in` has bytes, or NULL for floats
 *   target      n x pictures, or NULL
 *   out         n x what comes out: pictures in [0, 1] or maps, or NULL
 *   gradients   blocks x parameters, or NULL: of the loss times `scale`, summed
 *   sums        blocks x 3: loss, squared error, accuracy, summed over pixels
 */
void caes_run(const Network *net, const float *const *parameters, float *memory,
              int first, int last, int n, int block, const void *in,
              const float *table, const float *target, float *out, float *gradients,
              int count, float scale, double *sums, int *next) {
    Plan plans[net->stages];
    float *rows;
    size_t floats = lay_out(net, plans, memory, &rows);
    if (last == net->levels && group_memory(net)) {
        encode_groups(net, parameters, memory + floats, n, in, table, out, next);
        return;
    }
    for (int i = first; i < last; i++) {
        Plan *p = &plans[i];
        ptrdiff_t size = (ptrdiff_t)p->in * p->out;
        pack(&net->stage[i], p, parameters[2 * i], parameters[2 * i + 1]);
        if (p->winograd) transform_kernels(p->forward, p->kernels, size);
        if (p->turned && gradients) transform_kernels(p->backward, p->kernels_back, size);
    }
    const Stage *from = &net->stage[first], *end = &net->stage[last - 1];
    const Plan *final = &plans[last - 1];
    int pixels = last == net->stages;
    ptrdiff_t in_size = (ptrdiff_t)from->height * from->width * from->inputs;
    ptrdiff_t target_size = (ptrdiff_t)net->height * net->width * end->outputs;
    ptrdiff_t out_size = pixels ? target_size
                                : (ptrdiff_t)final->pooled_h * final->pooled_w * end->outputs;
    int b;
    while ((b = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) * block < n) {
        if (gradients)
            for (int i = first; i < last; i++) {
                Plan *p = &plans[i];
                memset(p->dweights, 0, sizeof(float) * p->big * p->big * p->in * p->out);
                memset(p->dbias, 0, sizeof(float) * p->out);
            }
        for (int j = b * block; j < smaller(n, (b + 1) * block); j++) {
            float *o = out ? out + j * out_size : NULL;
            /* The rows have room for a picture, and nothing to keep yet. */
            const float *maps = looked_up(in, table, j * in_size, in_size, rows);
            copy(from, &plans[first], (float *)maps, 1);
            for (int i = first; i < last - pixels; i++)
                forward_stage(&net->stage[i], &plans[i], &plans[i + 1], rows,
                              gradients != NULL);
            if (!pixels) {
                copy(&net->stage[last], &plans[last], o, 0);
                continue;
            }
            if (final->few) few_outputs(end, final, rows);
            else convolve_rows(end, final, 0, final->tall, rows);
            finish(net, final, rows, target ? target + j * target_size : NULL, o, scale,
                   sums ? sums + 3 * b : NULL);
            if (gradients) backward(net, plans, first);
        }
        float *g = gradients + (ptrdiff_t)b * count;
        for (int i = first; gradients && i < last; i++) {
            const Stage *s = &net->stage[i];
            ptrdiff_t weights = (ptrdiff_t)s->inputs * s->outputs * s->kernel * s->kernel;
            unpack(s, &plans[i], g, g + weights);
            g += weights + s->outputs;
        }
    }
}

/* Sum what the blocks have found, in their order: figures as means over all pixels, and
 * the gradient, `count` numbers. */
void caes_total(int blocks, int count, double pixels, const double *sums,
                const float *gradients, double *figures, float *gradient) {
    for (int i = 0; i < 3; i++) {
        figures[i] = 0;
        for (int b = 0; b < blocks; b++) figures[i] += sums[3 * b + i];
        figures[i] /= pixels;
    }
    if (!gradients) return;
    memcpy(gradient, gradients, sizeof(float) * count);
    for (int b = 1; b < blocks; b++)
        for (int i = 0; i < count; i++) gradient[i] += gradients[(ptrdiff_t)b * count + i];
}

/* A step of Adam on each of n tensors that has a gradient: m and v are the running means
 * of gradients and of their squares, which let `new_m` and `new_v` of this one in;
 * `kept` is the share of each tensor's weights that stays. */
void caes_adam(int n, const int64_t *sizes, float *const *weights, float *const *means,
               float *const *squares, const float *const *gradients, const float *kept,
               float rate, float epsilon, float new_m, float new_v) {
    for (int t = 0; t < n; t++) {
        float *restrict w = weights[t], *restrict m = means[t], *restrict v = squares[t];
        const float *restrict g = gradients[t];
        for (int64_t i = 0; g && i < sizes[t]; i++) {
            m[i] += new_m * (g[i] - m[i]);
            v[i] += new_v * (g[i] * g[i] - v[i]);
            w[i] = kept[t] * w[i] - rate * m[i] / (__builtin_sqrtf(v[i]) + epsilon);
        }
    }
}
