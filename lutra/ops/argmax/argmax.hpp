// Index of the largest of WORDS * LANES codes, the lowest among equals.
#ifndef LUTRA_ARGMAX_HPP
#define LUTRA_ARGMAX_HPP

#include "lutra_hls.hpp"

template <int BITS, int SIGNED, int LANES, int WORDS, int INDEX_BITS, int COUNT>
void lutra_argmax(hls::stream<ap_uint<LANES * BITS> > &in, hls::stream<ap_uint<INDEX_BITS> > &out) {
  ap_int<BITS + 1> best = 0;
  int index = 0, place = 0;
  for (int k = 0; k < COUNT * WORDS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<LANES * BITS> word = in.read();
    ap_int<BITS + 1> top = lutra_value<SIGNED>(lutra_get<BITS>(word, 0));
    int lane = 0;
    for (int i = 1; i < LANES; ++i) {
#pragma HLS UNROLL
      const ap_int<BITS + 1> value = lutra_value<SIGNED>(lutra_get<BITS>(word, i));
      if (value > top) {
        top = value;
        lane = i;
      }
    }
    if (place == 0 || top > best) {
      best = top;
      index = place * LANES + lane;
    }
    if (place == WORDS - 1) out.write(ap_uint<INDEX_BITS>(index));
    place = place == WORDS - 1 ? 0 : place + 1;
  }
}

#endif
