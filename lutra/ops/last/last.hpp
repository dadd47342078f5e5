// The last column of sequences; see last.sv. All COLUMNS columns travel here.
#ifndef LUTRA_LAST_HPP
#define LUTRA_LAST_HPP

#include "lutra_hls.hpp"

template <int WIDTH, int WORDS, int COLUMNS, int LBITS, int COUNT>
void lutra_last(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                hls::stream<ap_uint<WIDTH> > &out) {
  static_assert(COUNT == WORDS, "a frame is a column");
  const int last = int(lengths.read()) - 1;
  int t = 0, word = 0;
  for (int k = 0; k < COLUMNS * WORDS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<WIDTH> given = in.read();
    if (t == last) out.write(given);
    word = word == WORDS - 1 ? 0 : word + 1;
    if (word == 0) ++t;
  }
}

#endif
