// A change of binary point for PE channels a cycle: x / 2**SHIFT, rounded, in a type of WIDTH bits. ROUNDING and OVERFLOW
// count the modes in the order of `lutra.ops.requant.modes`, which are ap_fixed's: TRN, TRN_ZERO, RND, RND_ZERO,
// RND_MIN_INF, RND_INF, RND_CONV; WRAP, SAT, SAT_ZERO, SAT_SYM, WRAP_SM. The cast is ap_fixed's own.
#ifndef LUTRA_REQUANT_HPP
#define LUTRA_REQUANT_HPP

#include <ap_fixed.h>

#include "lutra_hls.hpp"

constexpr ap_q_mode lutra_rounding(int mode) {
  return mode == 0 ? AP_TRN : mode == 1 ? AP_TRN_ZERO : mode == 2 ? AP_RND : mode == 3 ? AP_RND_ZERO
         : mode == 4 ? AP_RND_MIN_INF : mode == 5 ? AP_RND_INF : AP_RND_CONV;
}

constexpr ap_o_mode lutra_overflow(int mode) {
  return mode == 0 ? AP_WRAP : mode == 1 ? AP_SAT : mode == 2 ? AP_SAT_ZERO : mode == 3 ? AP_SAT_SYM : AP_WRAP_SM;
}

// A type of WIDTH bits without a binary point, to cast to.
template <int SIGNED, int WIDTH, int ROUNDING, int OVERFLOW>
struct lutra_cast {
  typedef ap_fixed<WIDTH, WIDTH, lutra_rounding(ROUNDING), lutra_overflow(OVERFLOW)> type;
};
template <int WIDTH, int ROUNDING, int OVERFLOW>
struct lutra_cast<0, WIDTH, ROUNDING, OVERFLOW> {
  typedef ap_ufixed<WIDTH, WIDTH, lutra_rounding(ROUNDING), lutra_overflow(OVERFLOW)> type;
};

// Of the two numbers of one signed bit the symmetric part is 0 alone; ap_fixed has -1 there, too.
struct lutra_zero {
  template <class T>
  lutra_zero(const T &) {}
  ap_uint<1> range(int, int) const { return 0; }
};
template <int ROUNDING>
struct lutra_cast<1, 1, ROUNDING, 3> {
  typedef lutra_zero type;
};

template <int PE, int XBITS, int XSIGNED, int SHIFT, int QBITS, int WIDTH, int SIGNED, int ROUNDING, int OVERFLOW, int OBITS,
          int COUNT>
void lutra_requant(hls::stream<ap_uint<PE * XBITS> > &in, hls::stream<ap_uint<PE * OBITS> > &out) {
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * XBITS> word = in.read();
    ap_uint<PE * OBITS> result = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      ap_fixed<XBITS + 1, XBITS + 1 - SHIFT> x;
      x.range(XBITS, 0) = lutra_value<XSIGNED>(lutra_get<XBITS>(word, p));
      const typename lutra_cast<SIGNED, WIDTH, ROUNDING, OVERFLOW>::type y = x;
      lutra_set<OBITS>(result, p, ap_uint<OBITS>(ap_uint<WIDTH>(y.range(WIDTH - 1, 0))));
    }
    out.write(result);
  }
}

#endif
