// y = mul0 * x0 + mul1 * x1 for PE channels a cycle, in codes; `bias` makes up for what those leave out. A factor is a shift
// and, unless it is 1 or -1, an odd constant of each channel.
#ifndef LUTRA_ADD_HPP
#define LUTRA_ADD_HPP

#include "terms.hpp"

// mul * x * 2**SHIFT, modulo 2**OBITS.
template <int OBITS, int EXACT, int XSIGNED, int MBITS, int MSIGNED, int SHIFT, int XBITS, int D, int L>
inline ap_uint<OBITS> lutra_term(const ap_uint<XBITS> &x, int nf, int lane, const lutra_limb (&mul)[D][L]) {
#pragma HLS INLINE
  const int M = MBITS > 0 ? MBITS : 1;
  if (MBITS == 0) return ap_uint<OBITS>(ap_uint<OBITS>(lutra_value<XSIGNED>(x)) << SHIFT);
  return ap_uint<OBITS>(ap_uint<OBITS>(lutra_times<XSIGNED, MSIGNED, EXACT>(x, lutra_at<M>(mul[nf % D], lane))) << SHIFT);
}

template <int PE, int NF, int OBITS, int EXACT, int BIASED, int X0BITS, int X0SIGNED, int M0BITS, int M0SIGNED, int SHIFT0,
          int LESS0, int X1BITS, int X1SIGNED, int M1BITS, int M1SIGNED, int SHIFT1, int LESS1, int COUNT, int D0, int L0,
          int D1, int L1, int DB, int LB>
void lutra_add(hls::stream<ap_uint<PE * X0BITS> > &in0, hls::stream<ap_uint<PE * X1BITS> > &in1,
               hls::stream<ap_uint<PE * OBITS> > &out, const lutra_limb (&mul0)[D0][L0], const lutra_limb (&mul1)[D1][L1],
               const lutra_limb (&bias)[DB][LB]) {
#pragma HLS ARRAY_RESHAPE variable=mul0 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=mul1 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=bias dim=2 complete
  int nf = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * X0BITS> word0 = in0.read();
    const ap_uint<PE * X1BITS> word1 = in1.read();
    ap_uint<PE * OBITS> result = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      const ap_uint<OBITS> a =
          lutra_term<OBITS, EXACT, X0SIGNED, M0BITS, M0SIGNED, SHIFT0>(lutra_get<X0BITS>(word0, p), nf, p, mul0);
      const ap_uint<OBITS> b =
          lutra_term<OBITS, EXACT, X1SIGNED, M1BITS, M1SIGNED, SHIFT1>(lutra_get<X1BITS>(word1, p), nf, p, mul1);
      const ap_uint<OBITS> sum = LESS0 ? ap_uint<OBITS>(b - a) : LESS1 ? ap_uint<OBITS>(a - b) : ap_uint<OBITS>(a + b);
      const ap_uint<OBITS> start = BIASED ? lutra_at<OBITS>(bias[nf % DB], p) : ap_uint<OBITS>(0);
      lutra_set<OBITS>(result, p, ap_uint<OBITS>(sum + start));
    }
    out.write(result);
    nf = nf == NF - 1 ? 0 : nf + 1;
  }
}

#endif
