// y = x0 * x1 for PE channels a cycle: y's code is SCALE c0 c1 + BY0 c0 + BY1 c1 + AT of the codes c0, c1, and with PLAIN
// their product alone.
#ifndef LUTRA_MUL_HPP
#define LUTRA_MUL_HPP

#include "terms.hpp"

template <int PE, int X0BITS, int X0SIGNED, int X1BITS, int X1SIGNED, int OBITS, int PLAIN, int SCALE, int BY0, int BY1, int AT,
          int COUNT>
void lutra_mul(hls::stream<ap_uint<PE * X0BITS> > &in0, hls::stream<ap_uint<PE * X1BITS> > &in1,
               hls::stream<ap_uint<PE * OBITS> > &out) {
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * X0BITS> word0 = in0.read();
    const ap_uint<PE * X1BITS> word1 = in1.read();
    ap_uint<PE * OBITS> result = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      const ap_uint<X0BITS> x0 = lutra_get<X0BITS>(word0, p);
      const ap_uint<X1BITS> x1 = lutra_get<X1BITS>(word1, p);
      const ap_uint<OBITS> product = lutra_times<X0SIGNED, X1SIGNED, 1>(x0, x1);
      const ap_uint<OBITS> by0 = lutra_value<X0SIGNED>(x0) * BY0, by1 = lutra_value<X1SIGNED>(x1) * BY1;
      const ap_uint<OBITS> whole = ap_uint<OBITS>(product * SCALE) + by0 + by1 + ap_uint<OBITS>(AT);
      lutra_set<OBITS>(result, p, PLAIN ? product : whole);
    }
    out.write(result);
  }
}

#endif
