// Of each pixel WORDS0 words of the first stream, then WORDS1 of the second. A code c of stream k becomes SCALEk c + ATk.
#ifndef LUTRA_CONCAT_HPP
#define LUTRA_CONCAT_HPP

#include "lutra_hls.hpp"

template <int PE, int OBITS, int SIGNED, int SCALE, int AT, int XBITS>
inline ap_uint<PE * OBITS> lutra_recoded(const ap_uint<XBITS> &word) {
#pragma HLS INLINE
  ap_uint<PE * OBITS> codes = 0;
  for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
    const ap_uint<OBITS> code = lutra_value<SIGNED>(lutra_get<XBITS / PE>(word, p)) * SCALE;
    lutra_set<OBITS>(codes, p, ap_uint<OBITS>(code + ap_uint<OBITS>(AT)));
  }
  return codes;
}

template <int PE, int OBITS, int WORDS0, int X0BITS, int X0SIGNED, int SCALE0, int AT0, int WORDS1, int X1BITS, int X1SIGNED,
          int SCALE1, int AT1, int COUNT>
void lutra_concat(hls::stream<ap_uint<PE * X0BITS> > &in0, hls::stream<ap_uint<PE * X1BITS> > &in1,
                  hls::stream<ap_uint<PE * OBITS> > &out) {
  int place = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    if (place < WORDS0)
      out.write(lutra_recoded<PE, OBITS, X0SIGNED, SCALE0, AT0>(in0.read()));
    else
      out.write(lutra_recoded<PE, OBITS, X1SIGNED, SCALE1, AT1>(in1.read()));
    place = place == WORDS0 + WORDS1 - 1 ? 0 : place + 1;
  }
}

#endif
