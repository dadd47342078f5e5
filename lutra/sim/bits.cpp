// Products of bipolar rows by counting bits: y[n, r] = sum over k of w[r, k] * x[n, k], all -1 or +1.
//
// Courbariaux et al., "Binarized Neural Networks" (2016), section 3: a product of signs is an XNOR, their sum a count.
// Weights come as words [word][row], bit set where +1, rows filled up to a multiple of ROWS, columns with bits that are
// clear on both sides.

#include <cstdint>
#include <cstring>
#include <vector>

namespace {
constexpr int ROWS = 32;  // counted at once, in registers
}

// One frame: bits of x (words) against weights, to y (rows).
static void count(const uint64_t *x, const uint64_t *weights, float *y, long words, long rows, long columns) {
    const long stride = (rows + ROWS - 1) / ROWS * ROWS;
    for (long first = 0; first < rows; first += ROWS) {
        uint64_t differ[ROWS] = {0};
        for (long i = 0; i < words; i++) {
            const uint64_t *w = weights + i * stride + first;
            for (int r = 0; r < ROWS; r++) differ[r] += __builtin_popcountll(x[i] ^ w[r]);
        }
        const int some = rows - first < ROWS ? int(rows - first) : ROWS;
        for (int r = 0; r < some; r++) y[first + r] = float(columns - 2 * long(differ[r]));
    }
}

// Bits of a frame's values, set where positive.
template <typename T> static void pack(const T *x, uint64_t *bits, long columns) {
    for (; columns > 0; columns -= 64, x += 64) {
        uint8_t positive[64] = {0};
        if (columns >= 64)
            for (int k = 0; k < 64; k++) positive[k] = x[k] > 0;
        else
            for (int k = 0; k < columns; k++) positive[k] = x[k] > 0;
        uint64_t word = 0;
        for (int k = 0; k < 64; k += 8) {
            uint64_t eight = 0;
            for (int b = 0; b < 8; b++) eight |= uint64_t(positive[k + b]) << (8 * b);
            word |= (eight * 0x0102040810204080u >> 56) << k;  // moves bit 0 of byte b to bit 56 + b
        }
        *bits++ = word;
    }
}

template <typename T>
static void product(const T *x, const uint64_t *weights, float *y, long frames, long columns, long rows) {
    const long words = (columns + 63) / 64;
    std::vector<uint64_t> bits(words);
    for (long n = 0; n < frames; n++) {
        pack(x + n * columns, bits.data(), columns);
        count(bits.data(), weights, y + n * rows, words, rows, columns);
    }
}

extern "C" void lutra_product_i8(const int8_t *x, const uint64_t *weights, float *y, long frames, long columns,
                                 long rows) {
    product(x, weights, y, frames, columns, rows);
}

extern "C" void lutra_product_f32(const float *x, const uint64_t *weights, float *y, long frames, long columns,
                                  long rows) {
    product(x, weights, y, frames, columns, rows);
}
