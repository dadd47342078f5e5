// Every number of a wider grid, assigned to every kind of a fixed-point format: the integers that ap_fixed stores.
// The grid has 4 more fraction bits and 4 more integer bits than the format.
#include <cmath>
#include <cstdio>
#include <ap_fixed.h>

template <class T, int W, int F> void column() {
    for (long k = -(1L << (W + 7)); k < 1L << (W + 7); ++k) {
        ap_fixed<W + 8, W - F + 4> source = std::ldexp(double(k), -(F + 4));
        T target = source;
        int word = int(std::ldexp(target.to_double(), F));
        std::fwrite(&word, sizeof word, 1, stdout);
    }
}

template <int W, int F, ap_q_mode Q> void overflows() {
    column<ap_fixed<W, W - F, Q, AP_WRAP>, W, F>();
    column<ap_fixed<W, W - F, Q, AP_SAT>, W, F>();
    column<ap_fixed<W, W - F, Q, AP_SAT_ZERO>, W, F>();
    column<ap_fixed<W, W - F, Q, AP_SAT_SYM>, W, F>();
    column<ap_fixed<W, W - F, Q, AP_WRAP_SM>, W, F>();
    column<ap_ufixed<W, W - F, Q, AP_WRAP>, W, F>();
    column<ap_ufixed<W, W - F, Q, AP_SAT>, W, F>();
    column<ap_ufixed<W, W - F, Q, AP_SAT_ZERO>, W, F>();
    column<ap_ufixed<W, W - F, Q, AP_SAT_SYM>, W, F>();
}

template <int W, int F> void roundings() {
    overflows<W, F, AP_TRN>();
    overflows<W, F, AP_TRN_ZERO>();
    overflows<W, F, AP_RND>();
    overflows<W, F, AP_RND_ZERO>();
    overflows<W, F, AP_RND_MIN_INF>();
    overflows<W, F, AP_RND_INF>();
    overflows<W, F, AP_RND_CONV>();
}

int main() {
    roundings<4, 0>();
    roundings<8, 4>();
    roundings<6, -2>();
    roundings<3, 5>();
    roundings<2, 1>();
    roundings<9, 9>();
}
