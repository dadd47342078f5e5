// y = 2 P_M + [P_M >= level] P_L for PE rows at a time, P_M and P_L the products of weights -1 and +1 with the planes M and L
// of an activation 2 M + L: the schedule, codes and memories of gated.sv.
#ifndef LUTRA_GATED_HPP
#define LUTRA_GATED_HPP

#include "lutra_hls.hpp"

// 2 count - lanes of PE rows, count those of SIMD lanes whose bit of a plane equals that of w.
template <int PE, int SIMD, int MASKED, int XBITS, int W, int L>
inline void lutra_gated_dots(const ap_uint<SIMD * XBITS> &x, bool second, const lutra_limb (&w)[L], ap_int<W> (&dots)[PE]) {
#pragma HLS INLINE
  const ap_uint<SIMD> high = lutra_plane<SIMD, XBITS>(x, XBITS - 1), low = lutra_plane<SIMD, XBITS>(x, XBITS - 2);
  const ap_uint<SIMD> all = ~ap_uint<SIMD>(0);
  const ap_uint<SIMD> there = MASKED ? lutra_plane<SIMD, XBITS>(x, 0) : all;
  const ap_uint<SIMD> plane = second ? low : MASKED ? ap_uint<SIMD>(~high) : high;
  for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
    const ap_uint<SIMD> stored = lutra_row<SIMD>(w, p);
    const ap_uint<SIMD> bits = MASKED ? stored : lutra_signs<SIMD>(stored);
    const ap_uint<SIMD> hits = there & ~(plane ^ bits);
    dots[p] = (ap_int<W>(lutra_ones<SIMD>(hits)) << 1) - ap_int<W>(lutra_ones<SIMD>(there));
  }
}

template <int PE, int SIMD, int NF, int SF, int MASKED, int PBITS, int OFFSET, int HALF, int OBITS, int WAIT, int DEPTH,
          int BLOCK, int COUNT, int DW, int LW, int DL, int LL>
void lutra_gated(hls::stream<ap_uint<SIMD * (MASKED ? 3 : 2)> > &in, hls::stream<ap_uint<PE * OBITS> > &out,
                 const lutra_limb (&weights)[DW][LW], const lutra_limb (&levels)[DL][LL]) {
#pragma HLS ARRAY_RESHAPE variable=weights dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=levels dim=2 complete
  const int XBITS = MASKED ? 3 : 2, TOTAL = lutra_most(OBITS + HALF, PBITS) + 1, TILES = NF * SF;
  ap_uint<SIMD * XBITS> kept[SF];
  ap_uint<PE * PBITS> firsts[NF];  // P_M of each row; a pass lies between its writing and its reading
#pragma HLS DEPENDENCE variable=firsts type=inter direction=RAW distance=TILES dependent=true
  ap_int<TOTAL> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
  int nf = 0, sf = 0, tile = 0, idle = 0;
  bool second = false;
  for (int slot = 0; slot < COUNT / NF * (2 * TILES + WAIT); ++slot) {
#pragma HLS PIPELINE II=1 style=flp
    if (idle != 0) {
      --idle;
    } else {
      ap_uint<SIMD * XBITS> x = kept[sf];
      if (!second && nf == 0) {
        x = in.read();
        kept[sf] = x;
      }
      ap_int<lutra_bits(SIMD) + 2> dots[PE];
#pragma HLS ARRAY_PARTITION variable=dots complete
      lutra_gated_dots<PE, SIMD, MASKED, XBITS>(x, second, weights[tile], dots);
      const ap_uint<PE * PBITS> earlier = firsts[nf];
      ap_uint<PE * PBITS> made = 0;
      ap_uint<PE * OBITS> word = 0;
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        const ap_int<PBITS> first = lutra_get<PBITS>(earlier, p), level = lutra_at<PBITS>(levels[nf], p);
        const ap_int<TOTAL> start = second ? ap_int<TOTAL>((ap_int<TOTAL>(first) << 1) + OFFSET) : ap_int<TOTAL>(0);
        const ap_int<TOTAL> part = second && first < level ? ap_int<TOTAL>(0) : ap_int<TOTAL>(dots[p]);
        sums[p] = (sf == 0 ? start : sums[p]) + part;
        lutra_set<PBITS>(made, p, ap_uint<PBITS>(sums[p]));
        lutra_set<OBITS>(word, p, ap_uint<OBITS>(sums[p] >> HALF));
      }
      if (sf == SF - 1 && !second) firsts[nf] = made;
      if (sf == SF - 1 && second) out.write(word);
      if (tile == TILES - 1) {
        idle = second ? 0 : WAIT;
        second = !second;
      }
      tile = tile == TILES - 1 ? 0 : tile + 1;
      if (sf == SF - 1) nf = nf == NF - 1 ? 0 : nf + 1;
      sf = sf == SF - 1 ? 0 : sf + 1;
    }
  }
}

#endif
