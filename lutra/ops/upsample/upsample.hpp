// Takes COLUMNS pixels of WORDS words and gives each pixel COPIES times, and all of that LINES times.
#ifndef LUTRA_UPSAMPLE_HPP
#define LUTRA_UPSAMPLE_HPP

#include "lutra_hls.hpp"

template <int WIDTH, int WORDS, int COPIES, int COLUMNS, int LINES, int BLOCK, int COUNT>
void lutra_upsample(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<WIDTH> > &out) {
  ap_uint<WIDTH> kept[WORDS * COLUMNS];
  int word = 0, copy = 0, column = 0, line = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const int place = column * WORDS + word;
    ap_uint<WIDTH> value = 0;
    if (copy == 0 && line == 0) {
      value = in.read();
      kept[place] = value;
    } else {
      value = kept[place];
    }
    out.write(value);
    const bool last_word = word == WORDS - 1, last_copy = last_word && copy == COPIES - 1;
    const bool last_column = last_copy && column == COLUMNS - 1;
    word = last_word ? 0 : word + 1;
    if (last_word) copy = last_copy ? 0 : copy + 1;
    if (last_copy) column = last_column ? 0 : column + 1;
    if (last_column) line = line == LINES - 1 ? 0 : line + 1;
  }
}

#endif
