// The ends of a design: AXI4-Stream outside, words inside.
#ifndef LUTRA_ENDS_HPP
#define LUTRA_ENDS_HPP

#include "lutra_hls.hpp"

// tdata is padded to whole bytes; what lies above a word is ignored.
template <int WIDTH, int COUNT>
void lutra_enter(hls::stream<ap_uint<(WIDTH + 7) / 8 * 8> > &in, hls::stream<ap_uint<WIDTH> > &out) {
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    out.write(ap_uint<WIDTH>(in.read()));
  }
}

// A frame's last word is marked.
template <int WIDTH, int COUNT>
void lutra_leave(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_axiu<(WIDTH + 7) / 8 * 8, 0, 0, 0> > &out) {
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    ap_axiu<(WIDTH + 7) / 8 * 8, 0, 0, 0> word;
    word.data = in.read();
    word.keep = -1;
    word.strb = -1;
    word.last = k == COUNT - 1;
    out.write(word);
  }
}

#endif
