// A box of each frame; words outside it are taken and dropped.
#ifndef LUTRA_SLICE_HPP
#define LUTRA_SLICE_HPP

#include "lutra_hls.hpp"
#include "span.hpp"

template <int WIDTH, int WORD, int WORDS, int WORDS_AFTER, int LEFT, int COLUMNS, int RIGHT, int TOP, int ROWS, int BOTTOM,
          int COUNT>
void lutra_slice(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<WIDTH> > &out) {
  const int FRAME = (WORD + WORDS + WORDS_AFTER) * (LEFT + COLUMNS + RIGHT) * (TOP + ROWS + BOTTOM);
  lutra_span<WORD, WORDS, 0, WORDS_AFTER> part;
  lutra_span<LEFT, COLUMNS, 0, RIGHT> column;
  lutra_span<TOP, ROWS, 0, BOTTOM> row;
  for (int k = 0; k < COUNT / (WORDS * COLUMNS * ROWS) * FRAME; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<WIDTH> word = in.read();
    if (part.interior() && column.interior() && row.interior()) out.write(word);
    if (part.step() && column.step()) row.step();
  }
}

#endif
