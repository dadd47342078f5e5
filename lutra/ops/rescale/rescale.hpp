// y = clip(round((mul * x + add) / 2**SHIFT), LO, HI) for PE channels a cycle, rounding down, or half to even where EVEN.
// mul and add are constants of each channel; with MBITS = 0 mul is 1.
#ifndef LUTRA_RESCALE_HPP
#define LUTRA_RESCALE_HPP

#include "lutra_hls.hpp"

template <int PE, int NF, int XBITS, int XSIGNED, int MBITS, int MSIGNED, int TBITS, int SHIFT, int EVEN, int CLIPPED, int LO,
          int HI, int OBITS, int COUNT, int DM, int LM, int DA, int LA>
void lutra_rescale(hls::stream<ap_uint<PE * XBITS> > &in, hls::stream<ap_uint<PE * OBITS> > &out,
                   const lutra_limb (&mul)[DM][LM], const lutra_limb (&add)[DA][LA]) {
#pragma HLS ARRAY_RESHAPE variable=mul dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=add dim=2 complete
  const int M = MBITS > 0 ? MBITS : 1;
  const int HALF = SHIFT > 0 ? SHIFT - 1 : 0;
  int nf = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * XBITS> word = in.read();
    ap_uint<PE * OBITS> result = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      const ap_int<XBITS + 1> x = lutra_value<XSIGNED>(lutra_get<XBITS>(word, p));
      const ap_int<M + 1> factor = MBITS > 0 ? lutra_value<MSIGNED>(lutra_at<M>(mul[nf % DM], p)) : ap_int<M + 1>(1);
      const ap_int<TBITS> total = ap_int<TBITS>(factor * x) + ap_int<TBITS>(lutra_at<TBITS>(add[nf % DA], p));
      const ap_int<TBITS + 1> floor = total >> SHIFT;
      const ap_uint<TBITS> rest = ap_uint<TBITS>(total) & ap_uint<TBITS>((ap_uint<TBITS>(1) << HALF) - 1);
      const bool half = SHIFT > 0 && ap_uint<1>(total >> HALF) == 1;
      const bool up = EVEN && half && (ap_uint<1>(floor) == 1 || rest != 0);
      ap_int<TBITS + 2> quotient = floor + ap_int<2>(up ? 1 : 0);
      if (CLIPPED && quotient < LO) quotient = LO;
      if (CLIPPED && quotient > HI) quotient = HI;
      lutra_set<OBITS>(result, p, ap_uint<OBITS>(quotient));
    }
    out.write(result);
    nf = nf == NF - 1 ? 0 : nf + 1;
  }
}

#endif
