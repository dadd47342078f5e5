// The largest of WINDOW pixels, for each channel. A pixel is WORDS words of LANES codes.
#ifndef LUTRA_MAXREDUCE_HPP
#define LUTRA_MAXREDUCE_HPP

#include "lutra_hls.hpp"

template <int BITS, int SIGNED, int LANES, int WORDS, int WINDOW, int COUNT>
void lutra_maxreduce(hls::stream<ap_uint<LANES * BITS> > &in, hls::stream<ap_uint<LANES * BITS> > &out) {
  ap_uint<LANES * BITS> kept[WORDS];
  int part = 0, pixel = 0;
  for (int k = 0; k < COUNT * WINDOW; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<LANES * BITS> word = in.read(), before = kept[part];
    ap_uint<LANES * BITS> best = 0;
    for (int i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
      const ap_uint<BITS> a = lutra_get<BITS>(word, i), b = lutra_get<BITS>(before, i);
      const bool more = pixel == 0 || lutra_value<SIGNED>(a) > lutra_value<SIGNED>(b);
      lutra_set<BITS>(best, i, more ? a : b);
    }
    kept[part] = best;
    if (pixel == WINDOW - 1) out.write(best);
    if (part == WORDS - 1) pixel = pixel == WINDOW - 1 ? 0 : pixel + 1;
    part = part == WORDS - 1 ? 0 : part + 1;
  }
}

#endif
