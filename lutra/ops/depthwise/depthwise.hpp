// y[c] = sum over TAPS of w[c][t] * x[t][c]. A tap is WORDS words of PE channels; a word a cycle.
#ifndef LUTRA_DEPTHWISE_HPP
#define LUTRA_DEPTHWISE_HPP

#include "terms.hpp"

// A weight times a code of x; weights of one bit are -1 and +1 where BIPOLAR, and none are 1.
template <int PE, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int EXACT, int XBITS, int D, int L>
inline ap_int<XBITS + WBITS + 8> lutra_weighed(const ap_uint<XBITS> &x, const lutra_limb (&weights)[D][L], int tile, int lane) {
#pragma HLS INLINE
  const int W = WBITS > 0 ? WBITS : 1;
  if (WBITS == 0) return lutra_value<XSIGNED>(x);
  const ap_uint<W> code = lutra_at<W>(weights[tile % D], lane);
  if (BIPOLAR) return lutra_times<XSIGNED, 1, EXACT>(x, ap_uint<2>(code == 1 ? 1 : 3));
  return lutra_times<XSIGNED, WSIGNED, EXACT>(x, code);
}

template <int PE, int WORDS, int TAPS, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int EXACT, int OBITS,
          int BIASED, int BLOCK, int COUNT, int DW, int LW, int DB, int LB>
void lutra_depthwise(hls::stream<ap_uint<PE * XBITS> > &in, hls::stream<ap_uint<PE * OBITS> > &out,
                     const lutra_limb (&weights)[DW][LW], const lutra_limb (&bias)[DB][LB]) {
#pragma HLS ARRAY_RESHAPE variable=weights dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=bias dim=2 complete
  ap_uint<PE * OBITS> kept[WORDS];
  int part = 0, tap = 0;
  for (int k = 0; k < COUNT * TAPS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * XBITS> word = in.read();
    const ap_uint<PE * OBITS> before = kept[part];
    ap_uint<PE * OBITS> sums = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      const ap_uint<OBITS> product = lutra_weighed<PE, XSIGNED, WBITS, WSIGNED, BIPOLAR, EXACT>(
          lutra_get<XBITS>(word, p), weights, tap * WORDS + part, p);
      const ap_uint<OBITS> start = BIASED ? lutra_at<OBITS>(bias[part % DB], p) : ap_uint<OBITS>(0);
      lutra_set<OBITS>(sums, p, ap_uint<OBITS>(product + (tap == 0 ? start : lutra_get<OBITS>(before, p))));
    }
    kept[part] = sums;
    if (tap == TAPS - 1) out.write(sums);
    if (part == WORDS - 1) tap = tap == TAPS - 1 ? 0 : tap + 1;
    part = part == WORDS - 1 ? 0 : part + 1;
  }
}

#endif
