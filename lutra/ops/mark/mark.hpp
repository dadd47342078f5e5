// Sequences as they are; see mark.sv. All columns travel here, so there is nothing to mark.
#ifndef LUTRA_MARK_HPP
#define LUTRA_MARK_HPP

#include "lutra_hls.hpp"

template <int WIDTH, int WORDS, int LBITS, int LENGTHS, int COUNT>
void lutra_mark(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                hls::stream<ap_uint<WIDTH> > &out) {
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    if (k < LENGTHS) lengths.read();
    out.write(in.read());
  }
}

#endif
