// Labels without repeats and blanks, then blanks; see collapse.sv.
#ifndef LUTRA_COLLAPSE_HPP
#define LUTRA_COLLAPSE_HPP

#include "lutra_hls.hpp"

template <int BITS, int LBITS, int BLANK, int COUNT>
void lutra_collapse(hls::stream<ap_uint<BITS> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                    hls::stream<ap_uint<BITS> > &out) {
  const int length = lengths.read();
  ap_uint<BITS> previous = BLANK;
  int given = 0;
  for (int k = 0; k < 2 * COUNT - 1; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    if (k < COUNT - 1) {
      const ap_uint<BITS> label = in.read();
      if (k < length && label != BLANK && label != previous) {
        out.write(label);
        ++given;
      }
      previous = label;
    } else if (given < COUNT) {
      out.write(ap_uint<BITS>(BLANK));
      ++given;
    }
  }
}

#endif
