// What recurrent cells share; see recurrent.sv. Here all COLUMNS columns of a sequence travel, and those behind its end
// hold anything: a length says which are of use, and takes no less time.
#ifndef LUTRA_RECURRENT_HPP
#define LUTRA_RECURRENT_HPP

#include "dots.hpp"
#include "lutra_hls.hpp"
#include "requant.hpp"

// The code of x / 2**SHIFT in a type.
template <int SHIFT, int WIDTH, int SIGNED, int ROUNDING, int OVERFLOW, int B>
inline ap_uint<WIDTH> lutra_cast_to(const ap_int<B> &x) {
#pragma HLS INLINE
  ap_fixed<B, B - SHIFT> number;
  number.range(B - 1, 0) = x;
  const typename lutra_cast<SIGNED, WIDTH, ROUNDING, OVERFLOW>::type y = number;
  return ap_uint<WIDTH>(y.range(WIDTH - 1, 0));
}

// An entry of a table, at a value cast to its address.
template <int B, int SHIFT, int INDEX_BITS, int INDEX_SIGNED, int ROUNDING, int OVERFLOW, int W, int D, int L>
inline ap_int<B> lutra_entry(const ap_int<W> &x, const lutra_limb (&table)[D][L]) {
#pragma HLS INLINE
  const ap_uint<INDEX_BITS> index = lutra_cast_to<SHIFT, INDEX_BITS, INDEX_SIGNED, ROUNDING, OVERFLOW>(x);
  return ap_int<B>(lutra_at<B>(table[int(index)], 0));
}

// Where the loop over slots stands.
template <int SF, int NF, int CONTEXTS, int DIRECTIONS>
struct lutra_recurrent_place {
  int t, context, direction, nf, sf;
  lutra_recurrent_place() : t(0), context(0), direction(0), nf(0), sf(0) {}
  int word() const { return direction * NF + nf; }  // of sums, in a step of each direction
  void next() {
#pragma HLS INLINE
    const bool sum = sf == SF - 1, step = sum && nf == NF - 1, round = step && context == CONTEXTS - 1;
    sf = sum ? 0 : sf + 1;
    if (sum) nf = step ? 0 : nf + 1;
    if (step) context = round ? 0 : context + 1;
    if (step) direction = direction == DIRECTIONS - 1 ? 0 : direction + 1;
    if (round) t = t + 1;
  }
};

// Adds the products of a slot to the sums of PE neurons, which begin with the bias.
template <int PE, int GATES, int SPLIT, int ABITS, int XSCALE, int HSCALE, int XW, int HW, int BD, int BL>
inline void lutra_recurrent_sum(const ap_int<XW> (&of_x)[PE * GATES], const ap_int<HW> (&of_h)[PE * GATES],
                                ap_uint<ABITS> (&sums)[PE * (GATES + SPLIT)], bool first, bool x_on, bool h_on,
                                int word, const lutra_limb (&bias)[BD][BL]) {
#pragma HLS INLINE
  const int SUMS = GATES + SPLIT;
  for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
    for (int s = 0; s < SUMS; ++s) {
#pragma HLS UNROLL
      const int column = s < GATES ? s : -1, past = !SPLIT || s < GATES - 1 ? s : s == GATES ? s - 1 : -1;
      ap_uint<ABITS> sum = first ? lutra_at<ABITS>(bias[word], p * SUMS + s) : sums[p * SUMS + s];
      if (x_on && column >= 0) sum += ap_uint<ABITS>(ap_int<64>(of_x[p * GATES + (column < 0 ? 0 : column)]) * XSCALE);
      if (h_on && past >= 0) sum += ap_uint<ABITS>(ap_int<64>(of_h[p * GATES + (past < 0 ? 0 : past)]) * HSCALE);
      sums[p * SUMS + s] = sum;
    }
  }
}

#endif
