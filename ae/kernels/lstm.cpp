// The encoder and the decoder LSTM of LSTM_AE, forward and backward, in float32.
//
// Three things make it faster than a general LSTM: the context z is projected once, not at every step of the decoder;
// the four gates of a tile of sequences stay in registers from the product to the cell; the weights' gradients are one
// product over all time steps. Sequences are independent, so one tile runs through all its steps before the next.
//
// Sequences may have lengths of their own: z is then the hidden state at a sequence's own last step. A tile runs to the
// end of its longest sequence; what the shorter ones compute after their end is finite, and gets no gradient.
//
// A decoder may emit the last step first. Either LSTM may get a table with a row per time step, which is added to the
// gates' sums of all sequences: what features of the step's position contribute costs one product per pass that way.
//
// B sequences, T steps, F features, H units, P units padded to whole vectors. Gates in PyTorch's order i, f, g, o.
// The caller provides all memory. NaN and infinity propagate as in PyTorch.

#include "vectors.h"

struct Shape {
    long B, T, F, H, P;
    bool save;  // keep every step for the backward pass
    int threads;
    const long long* lengths;  // steps of each sequence, from 1 to T; null if all have T
    bool reversed;             // the decoder emits the last step first
    bool tables;               // each LSTM has a table
    long length(long b) const { return lengths ? (long)lengths[b] : T; }
    long longest(long b, int rows) const {
        long most = length(b);
        for (int r = 1; r < rows; ++r) most = std::max(most, length(b + r));
        return most;
    }
    long slot(long t) const { return save ? t : t % 2; }
    long slots() const { return save ? T + 1 : 2; }
    long steps() const { return save ? T : 1; }
};

// One LSTM in the caller's memory. A row is the input of a step's product: h, then for the encoder x and a 1. In the
// weights' gradient, the column of this 1 is the gradient of the bias.
struct Lstm {
    long K, W;            // inputs per product; width of a row
    long room;            // floats of a row that h fills; the decoder's padding is included, so that it is 0
    float *packed;        // weights, (P / LANES, K, GATES, LANES)
    float *start;         // initial values of the sums, (B or 1, GATES, P)
    long start_row;       // 0 if all sequences start from the same values
    float *rows;          // (slots, B, W)
    float *gates;         // (steps, B, GATES, P); the backward pass replaces them by gradients of the preactivations
    float *cells, *tanhs; // (slots, B, P), (steps, B, P)
    float *table;         // added to the sums, (T, GATES, P), at the step that is encoded or emitted; or null
    bool reversed;        // step t of its own is the sequence's step length - 1 - t
    // The sequence's time step of its step t, or its inverse; after the end of a sequence, any.
    long place(const Shape& s, long b, long t) const { return reversed ? std::max(0L, s.length(b) - 1 - t) : t; }
};

struct Memory {
    Lstm encoder, decoder;
    float *context;         // packed weights of the decoder's input
    float *bias;            // (GATES, P)
    float *z;               // (B, W): the rows of the sequences' ends, where they have lengths of their own
    float *through_h, *through_z;  // weights of the backward products, (GATES * H, P)
    float *sum;             // (B, GATES, P): the decoder's gate gradients over all steps
    float *dh, *dc, *dz;    // (B, P)
    float *product;         // (GATES * H, W)
    size_t floats;
};

static Memory lay_out(const Shape& s, float* base) {
    size_t used = 0;
    auto take = [&](size_t count) {
        float* at = base + used;
        used += (count + 15) / 16 * 16;
        return at;
    };
    const long P = s.P, H = s.H, W = padded(H + s.F + 1);
    auto lstm = [&](long K, long W, long room, long starts) {
        return Lstm{K, W, room, take(K * GATES * P), take(starts * GATES * P), starts == 1 ? 0 : GATES * P, take(s.slots() * s.B * W),
               take(s.save ? s.T * s.B * GATES * P : 0), take(s.slots() * s.B * P), take(s.save ? s.T * s.B * P : 0),
               s.tables ? take(s.T * GATES * P) : nullptr, false};
    };
    Memory m{};
    m.encoder = lstm(H + s.F, W, H, 1);
    m.decoder = lstm(H, P, P, s.B);
    if (s.B == 1) m.decoder.start_row = 0;
    m.decoder.reversed = s.reversed;
    m.context = take(H * GATES * P);
    m.bias = take(GATES * P);
    m.z = take(s.lengths ? s.B * W : 0);
    if (s.save) {
        m.through_h = take(GATES * H * P);
        m.through_z = take(GATES * H * P);
        m.sum = take(s.B * GATES * P);
        m.dh = take(s.B * P);
        m.dc = take(s.B * P);
        m.dz = take(s.lengths ? s.B * P : 0);
        m.product = take(GATES * H * W);
    }
    m.floats = used;
    return m;
}

// Copies weights (GATES * H, n) into the order of the product, starting at its input `first`.
static void pack(const Shape& s, const float* weights, long n, float* packed, long K, long first) {
    for (long u = 0; u < s.P; u += LANES)
        for (long gate = 0; gate < GATES; ++gate)
            for (long k = 0; k < n; ++k) {
                float* to = packed + ((u * K + (first + k) * LANES) * GATES) + gate * LANES;
                for (long lane = 0; lane < LANES; ++lane)
                    to[lane] = u + lane < s.H ? weights[(gate * s.H + u + lane) * n + k] : 0.0f;
            }
}

static void pack_bias(const Shape& s, const float* first, const float* second, float* bias) {
    for (long gate = 0; gate < GATES; ++gate)
        for (long u = 0; u < s.P; ++u)
            bias[gate * s.P + u] = u < s.H ? first[gate * s.H + u] + second[gate * s.H + u] : 0.0f;
}

static void pack_table(const Shape& s, const float* table, float* packed) {
    for (long row = 0; row < s.T * GATES; ++row) {
        memcpy(packed + row * s.P, table + row * s.H, s.H * sizeof(float));
        memset(packed + row * s.P + s.H, 0, (s.P - s.H) * sizeof(float));
    }
}

static void pad_columns(const Shape& s, const float* weights, float* to) {
    for (long row = 0; row < GATES * s.H; ++row) {
        memcpy(to + row * s.P, weights + row * s.H, s.H * sizeof(float));
        memset(to + row * s.P + s.H, 0, (s.P - s.H) * sizeof(float));
    }
}

// One step of R sequences: all gates of a vector of units, then their cells and outputs at once.
template <int R, bool TABLE>
static void step_forward(const Shape& s, const Lstm& l, long b, long t) {
    const long P = s.P, W = l.W;
    const float* now = l.rows + (s.slot(t) * s.B + b) * W;
    float* next = l.rows + (s.slot(t + 1) * s.B + b) * W;
    const float* cell = l.cells + (s.slot(t) * s.B + b) * P;
    float* next_cell = l.cells + (s.slot(t + 1) * s.B + b) * P;
    for (long u = 0; u < P; u += LANES) {
        Vec sums[GATES][R];
        for (int r = 0; r < R; ++r)
            for (int g = 0; g < GATES; ++g) sums[g][r] = load(l.start + (b + r) * l.start_row + g * P + u);
        if constexpr (TABLE)
            for (int r = 0; r < R; ++r)
                for (int g = 0; g < GATES; ++g)
                    sums[g][r] += load(l.table + (l.place(s, b + r, t) * GATES + g) * P + u);
        multiply<GATES, R>(sums, now, W, 1, l.packed + u * l.K * GATES, GATES * LANES, l.K);
        for (int r = 0; r < R; ++r) {
            Vec i = sigmoid(sums[0][r]), f = sigmoid(sums[1][r]), g = tanh_of(sums[2][r]), o = sigmoid(sums[3][r]);
            Vec c = f * load(cell + r * P + u) + i * g;
            Vec tanh_c = tanh_of(c);
            store(next_cell + r * P + u, c);
            store_first(next + r * W + u, o * tanh_c, l.room - u);
            if (!s.save) continue;
            float* gates = l.gates + (t * s.B + b + r) * GATES * P + u;
            store(gates, i), store(gates + P, f), store(gates + 2 * P, g), store(gates + 3 * P, o);
            store(l.tanhs + (t * s.B + b + r) * P + u, tanh_c);
        }
    }
}

template <int R>
static void step_forward(const Shape& s, const Lstm& l, long b, long t) {
    if (l.table) step_forward<R, true>(s, l, b, t);
    else step_forward<R, false>(s, l, b, t);
}

// Clears what the weights' gradients read of the steps after the end of a tile's longest sequence.
template <int R>
static void clear_after(const Shape& s, const Lstm& l, long b, long end) {
    if (!s.save) return;
    for (long t = end; t < s.T; ++t) {
        memset(l.rows + ((t + 1) * s.B + b) * l.W, 0, R * l.W * sizeof(float));
        memset(l.gates + (t * s.B + b) * GATES * s.P, 0, R * GATES * s.P * sizeof(float));
    }
}

// The rows of the encoder that hold z, (B, W).
static float* context_rows(const Shape& s, const Memory& m) {
    return s.lengths ? m.z : m.encoder.rows + s.slot(s.T) * s.B * m.encoder.W;
}

// Runs R sequences through the encoder, their context through the decoder's input weights, and then the decoder.
template <int R>
static void run_forward(const Shape& s, const Memory& m, long b, const float* x, float* decoded) {
    const Lstm &e = m.encoder, &d = m.decoder;
    const long P = s.P, H = s.H, end = s.longest(b, R);
    memset(e.cells + b * P, 0, R * P * sizeof(float));
    memset(d.cells + b * P, 0, R * P * sizeof(float));
    memset(d.rows + b * d.W, 0, R * d.W * sizeof(float));
    for (int r = 0; r < R; ++r) memset(e.rows + (b + r) * e.W, 0, H * sizeof(float));
    for (long t = 0; t <= end; ++t) {
        for (int r = 0; r < R; ++r) {
            float* row = e.rows + (s.slot(t) * s.B + b + r) * e.W + H;
            memset(row, 0, (e.W - H) * sizeof(float));
            if (s.lengths && t == s.length(b + r)) memcpy(m.z + (b + r) * e.W, row - H, e.W * sizeof(float));
            if (s.lengths && t == s.length(b + r)) m.z[(b + r) * e.W + H + s.F] = 1.0f;
            if (t < end) memcpy(row, x + ((b + r) * s.T + t) * s.F, s.F * sizeof(float));
            row[s.F] = 1.0f;
        }
        if (t < end) step_forward<R>(s, e, b, t);
    }
    clear_after<R>(s, e, b, end);
    const float* z = context_rows(s, m) + b * e.W;
    for (long u = 0; u < P; u += LANES) {
        Vec sums[GATES][R];
        for (int r = 0; r < R; ++r)
            for (int g = 0; g < GATES; ++g) sums[g][r] = load(m.bias + g * P + u);
        multiply<GATES, R>(sums, z, e.W, 1, m.context + u * H * GATES, GATES * LANES, H);
        for (int r = 0; r < R; ++r)
            for (int g = 0; g < GATES; ++g) store(d.start + (b + r) * GATES * P + g * P + u, sums[g][r]);
    }
    for (long t = 0; t < end; ++t) {
        step_forward<R>(s, d, b, t);
        const float* h = d.rows + (s.slot(t + 1) * s.B + b) * d.W;
        for (int r = 0; r < R; ++r)
            if (t < s.length(b + r)) memcpy(decoded + ((b + r) * s.T + d.place(s, b + r, t)) * H, h + r * d.W, H * sizeof(float));
    }
    clear_after<R>(s, d, b, end);
    for (int r = 0; r < R; ++r) {
        const long length = s.length(b + r);
        memset(decoded + ((b + r) * s.T + length) * H, 0, (s.T - length) * H * sizeof(float));
    }
}

// out (R, P) = gates (R, GATES, P) times weights (GATES * H, P).
template <int R>
static void back_through(const Shape& s, const float* gates, const float* weights, float* out) {
    for_columns(s.P, [&](long at, auto columns) {
        constexpr int COLUMNS = decltype(columns)::value;
        Vec sums[COLUMNS][R] = {};
        for (int g = 0; g < GATES; ++g)
            multiply<COLUMNS, R>(sums, gates + g * s.P, GATES * s.P, 1, weights + g * s.H * s.P + at, s.P, s.H);
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < COLUMNS; ++c) store(out + r * s.P + at + c * LANES, sums[c][r]);
    });
}

// Runs R sequences back through one LSTM, from dh and dc of the last step; gate gradients overwrite the gates. The
// encoder of sequences with lengths of their own gets dh at their last steps, from `dz`.
template <int R>
static void run_backward(const Shape& s, const Memory& m, const Lstm& l, long b, const float* outer, float* sum,
                         const float* dz) {
    const long P = s.P;
    for (long t = s.longest(b, R) - 1; t >= 0; --t) {
        float* gates_R = l.gates + (t * s.B + b) * GATES * P;
        for (int r = 0; r < R; ++r) {
            float *gates = gates_R + r * GATES * P, *dh_row = m.dh + (b + r) * P, *dc_row = m.dc + (b + r) * P;
            const bool inside = t < s.length(b + r);
            const long place = l.place(s, b + r, t);
            if (dz && t == s.length(b + r) - 1) memcpy(dh_row, dz + (b + r) * P, P * sizeof(float));
            const float* cell = l.cells + (t * s.B + b + r) * P;
            const float* tanhs = l.tanhs + (t * s.B + b + r) * P;
            for (long u = 0; u < P; u += LANES) {
                Vec i = load(gates + u), f = load(gates + P + u), g = load(gates + 2 * P + u), o = load(gates + 3 * P + u);
                Vec dh = load(dh_row + u), tanh_c = load(tanhs + u);
                if (outer && inside) dh += load_first(outer + ((b + r) * s.T + place) * s.H + u, s.H - u);
                Vec dc = load(dc_row + u) + dh * o * (1.0f - tanh_c * tanh_c);
                Vec grads[GATES] = {dc * g * i * (1.0f - i), dc * load(cell + u) * f * (1.0f - f), dc * i * (1.0f - g * g),
                                    dh * tanh_c * o * (1.0f - o)};
                store(dc_row + u, dc * f);
                for (int k = 0; k < GATES; ++k) {
                    store(gates + k * P + u, grads[k]);
                    if (sum) {
                        float* at = sum + ((b + r) * GATES + k) * P + u;
                        store(at, load(at) + grads[k]);
                    }
                }
            }
        }
        if (t > 0) back_through<R>(s, gates_R, m.through_h, m.dh + b * P);
    }
}

// product (GATES * H, W) = gates (n, GATES, P) transposed times rows (n, W); each thread computes some of the units.
static void weight_gradient(const Shape& s, long n, const float* gates, const float* rows, long W, float* product) {
    const long A = GATES * s.P;
    for_parts(s.H, s.threads, [&](long first, long units) {
        for (long from = 0; from < n; from += PANEL) {
            const long count = std::min<long>(PANEL, n - from);
            for_columns(W, [&](long at, auto columns) {
                constexpr int COLUMNS = decltype(columns)::value;
                for (long gate = 0; gate < GATES; ++gate)
                    for_tiles(first, units, [&](long u, auto tile) {
                        constexpr int R = decltype(tile)::value;
                        float* out = product + (gate * s.H + u) * W + at;
                        Vec sums[COLUMNS][R];
                        for (int r = 0; r < R; ++r)
                            for (int c = 0; c < COLUMNS; ++c) sums[c][r] = from ? load(out + r * W + c * LANES) : Vec{};
                        multiply<COLUMNS, R>(sums, gates + from * A + gate * s.P + u, 1, A, rows + from * W + at, W, count);
                        for (int r = 0; r < R; ++r)
                            for (int c = 0; c < COLUMNS; ++c) store(out + r * W + c * LANES, sums[c][r]);
                    });
            });
        }
    });
}

// table (T, GATES * H) = the gates' gradients, summed over the sequences at the time step that they belong to.
static void table_gradient(const Shape& s, const Lstm& l, float* table) {
    for_parts(s.T, s.threads, [&](long first, long count) {
        memset(table + first * GATES * s.H, 0, count * GATES * s.H * sizeof(float));
        for (long at = first; at < first + count; ++at)
            for (long b = 0; b < s.B; ++b) {
                if (at >= s.length(b)) continue;
                const float* gates = l.gates + (l.place(s, b, at) * s.B + b) * GATES * s.P;
                for (long gate = 0; gate < GATES; ++gate)
                    for (long u = 0; u < s.H; ++u) table[(at * GATES + gate) * s.H + u] += gates[gate * s.P + u];
            }
    });
}

static void copy_columns(const Shape& s, const float* product, long W, long first, long n, float* to) {
    for (long row = 0; row < GATES * s.H; ++row) memcpy(to + row * n, product + row * W + first, n * sizeof(float));
}

static Shape shape_of(long B, long T, long F, long H, const long long* lengths, int reversed, int tables, int save,
                      int threads) {
    return Shape{B, T, F, H, padded(H), save != 0, threads, lengths, reversed != 0, tables != 0};
}

extern "C" {

size_t workspace_floats(long B, long T, long F, long H, const long long* lengths, int tables, int save) {
    return lay_out(shape_of(B, T, F, H, lengths, 0, tables, save, 1), nullptr).floats;
}

// Reads x (B, T, F), the lengths (B,) or null, the weights in the layout of nn.LSTM, and the tables (T, 4H) of both LSTMs
// or null for each; writes decoded (B, T, H).
void forward(long B, long T, long F, long H, const long long* lengths, int reversed, int save, int threads,
             const float* x, const float* e_ih, const float* e_hh, const float* e_bi, const float* e_bh,
             const float* d_ih, const float* d_hh, const float* d_bi, const float* d_bh, const float* e_table,
             const float* d_table, float* workspace, float* decoded) {
    const Shape s = shape_of(B, T, F, H, lengths, reversed, e_table != nullptr, save, threads);
    const Memory m = lay_out(s, workspace);
    pack(s, e_hh, H, m.encoder.packed, H + F, 0);
    pack(s, e_ih, F, m.encoder.packed, H + F, H);
    pack(s, d_hh, H, m.decoder.packed, H, 0);
    pack(s, d_ih, H, m.context, H, 0);
    pack_bias(s, e_bi, e_bh, m.encoder.start);
    pack_bias(s, d_bi, d_bh, m.bias);
    if (s.tables) pack_table(s, e_table, m.encoder.table), pack_table(s, d_table, m.decoder.table);
    for_tiles_of_parts(B, threads, [&](long b, auto rows) { run_forward<decltype(rows)::value>(s, m, b, x, decoded); });
}

// Gradients of the weights, and of the tables if there are any, given the gradient of decoded (B, T, H); overwrites the
// workspace that forward filled.
void backward(long B, long T, long F, long H, const long long* lengths, int reversed, int threads, const float* e_hh,
              const float* d_ih, const float* d_hh, const float* d_decoded, float* workspace, float* g_e_ih,
              float* g_e_hh, float* g_e_b, float* g_d_ih, float* g_d_hh, float* g_d_b, float* g_e_table,
              float* g_d_table) {
    const Shape s = shape_of(B, T, F, H, lengths, reversed, g_e_table != nullptr, 1, threads);
    const Memory m = lay_out(s, workspace);
    const Lstm &e = m.encoder, &d = m.decoder;
    const long P = s.P;
    memset(m.sum, 0, B * GATES * P * sizeof(float));
    memset(m.dh, 0, B * P * sizeof(float));
    memset(m.dc, 0, B * P * sizeof(float));
    pad_columns(s, d_hh, m.through_h);
    pad_columns(s, d_ih, m.through_z);
    for_tiles_of_parts(B, threads, [&](long b, auto rows) {
        constexpr int R = decltype(rows)::value;
        run_backward<R>(s, m, d, b, d_decoded, m.sum, nullptr);
        back_through<R>(s, m.sum + b * GATES * P, m.through_z, (lengths ? m.dz : m.dh) + b * P);
        if (lengths) memset(m.dh + b * P, 0, R * P * sizeof(float));
        memset(m.dc + b * P, 0, R * P * sizeof(float));
    });
    pad_columns(s, e_hh, m.through_h);
    const float* dz = lengths ? m.dz : nullptr;
    for_tiles_of_parts(B, threads, [&](long b, auto rows) { run_backward<decltype(rows)::value>(s, m, e, b, nullptr, nullptr, dz); });

    weight_gradient(s, (T - 1) * B, d.gates + B * GATES * P, d.rows + B * d.W, d.W, m.product);
    if (T == 1) memset(m.product, 0, GATES * H * d.W * sizeof(float));
    copy_columns(s, m.product, d.W, 0, H, g_d_hh);
    weight_gradient(s, B, m.sum, context_rows(s, m), e.W, m.product);
    copy_columns(s, m.product, e.W, 0, H, g_d_ih);
    copy_columns(s, m.product, e.W, H + F, 1, g_d_b);
    weight_gradient(s, T * B, e.gates, e.rows, e.W, m.product);
    copy_columns(s, m.product, e.W, 0, H, g_e_hh);
    copy_columns(s, m.product, e.W, H, F, g_e_ih);
    copy_columns(s, m.product, e.W, H + F, 1, g_e_b);
    if (s.tables) table_gradient(s, e, g_e_table), table_gradient(s, d, g_d_table);
}

}
