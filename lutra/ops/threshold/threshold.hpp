// For each of PE channels, how many of its 2**K - 1 sorted thresholds the input reaches: a binary search, see threshold.sv.
#ifndef LUTRA_THRESHOLD_HPP
#define LUTRA_THRESHOLD_HPP

#include "lutra_hls.hpp"

// One bit more of a channel's count, from the memory of stage J, if there is one.
template <int J, int K, int TBITS, int D, int L>
inline void lutra_reach(const ap_uint<TBITS> &x, ap_uint<K> &found, int nf, int lane, const lutra_limb (&words)[D][L]) {
#pragma HLS INLINE
  if (J >= K) return;
  const int node = ((nf << J) + int(found)) % D;  // below D without that; it says so to compilers
  const ap_uint<1> more = x >= lutra_at<TBITS>(words[node], lane);
  found = ap_uint<K>((found << 1) | more);
}

template <int PE, int NF, int XBITS, int XSIGNED, int TBITS, int K, int FLIPPED, int OFFSET, int OBITS, int COUNT, int DF,
          int LF, int D0, int L0, int D1, int L1, int D2, int L2, int D3, int L3, int D4, int L4, int D5, int L5, int D6,
          int L6, int D7, int L7, int D8, int L8, int D9, int L9>
void lutra_threshold(hls::stream<ap_uint<PE * XBITS> > &in, hls::stream<ap_uint<PE * OBITS> > &out,
                     const lutra_limb (&flip)[DF][LF], const lutra_limb (&t0)[D0][L0], const lutra_limb (&t1)[D1][L1],
                     const lutra_limb (&t2)[D2][L2], const lutra_limb (&t3)[D3][L3], const lutra_limb (&t4)[D4][L4],
                     const lutra_limb (&t5)[D5][L5], const lutra_limb (&t6)[D6][L6], const lutra_limb (&t7)[D7][L7],
                     const lutra_limb (&t8)[D8][L8], const lutra_limb (&t9)[D9][L9]) {
#pragma HLS ARRAY_RESHAPE variable=t0 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t1 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t2 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t3 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t4 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t5 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t6 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t7 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t8 dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=t9 dim=2 complete
  int nf = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * XBITS> word = in.read();
    ap_uint<PE * OBITS> result = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      ap_uint<XBITS> code = lutra_get<XBITS>(word, p);
      if (XSIGNED) code ^= ap_uint<XBITS>(1) << (XBITS - 1);
      const ap_uint<TBITS> x = code;
      ap_uint<K> found = 0;
      lutra_reach<0, K>(x, found, nf, p, t0);
      lutra_reach<1, K>(x, found, nf, p, t1);
      lutra_reach<2, K>(x, found, nf, p, t2);
      lutra_reach<3, K>(x, found, nf, p, t3);
      lutra_reach<4, K>(x, found, nf, p, t4);
      lutra_reach<5, K>(x, found, nf, p, t5);
      lutra_reach<6, K>(x, found, nf, p, t6);
      lutra_reach<7, K>(x, found, nf, p, t7);
      lutra_reach<8, K>(x, found, nf, p, t8);
      lutra_reach<9, K>(x, found, nf, p, t9);
      const bool falls = FLIPPED && lutra_at<1>(flip[nf % DF], p) != 0;
      const ap_uint<K> count = falls ? ap_uint<K>(~found) : found;
      lutra_set<OBITS>(result, p, ap_uint<OBITS>(ap_uint<OBITS>(count) + ap_uint<OBITS>(OFFSET)));
    }
    out.write(result);
    nf = nf == NF - 1 ? 0 : nf + 1;
  }
}

#endif
