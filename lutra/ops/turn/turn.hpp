// Sequences in both directions, and back; see turn.sv. All COLUMNS columns travel; those behind a sequence's end hold
// anything.
#ifndef LUTRA_TURN_HPP
#define LUTRA_TURN_HPP

#include "lutra_hls.hpp"

// The column of the k-th word of turned sequences, and in `word` which of its words that is.
template <int WORDS>
inline int lutra_turned(int k, int length, int &word) {
#pragma HLS INLINE
  const int t = k / (2 * WORDS), back = length - 1 - t;
  word = k % WORDS;
  return k / WORDS % 2 == 0 ? t : back < 0 ? t : back;
}

template <int WIDTH, int WORDS, int COLUMNS, int LBITS, int BLOCK, int COUNT>
void lutra_turn(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                hls::stream<ap_uint<WIDTH> > &out) {
  ap_uint<WIDTH> kept[COLUMNS * WORDS];
  const int length = lengths.read();
  for (int k = 0; k < COLUMNS * WORDS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    kept[k] = in.read();
  }
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    int word = 0;
    const int column = lutra_turned<WORDS>(k, length, word);
    out.write(kept[column * WORDS + word]);
  }
}

template <int WIDTH, int WORDS, int COLUMNS, int LBITS, int BLOCK, int COUNT>
void lutra_unturn(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                  hls::stream<ap_uint<WIDTH> > &out) {
  ap_uint<WIDTH> kept[2 * COLUMNS * WORDS];
  const int length = lengths.read();
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    int word = 0;
    const int column = lutra_turned<WORDS>(k, length, word);
    kept[(2 * column + k / WORDS % 2) * WORDS + word] = in.read();
  }
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    out.write(kept[k]);
  }
}

#endif
