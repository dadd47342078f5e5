// The order in which recurrent cells take groups of sequences, and theirs again; see turn.sv. All COLUMNS columns travel;
// those behind the end of the longest sequence hold anything.
#ifndef LUTRA_TURN_HPP
#define LUTRA_TURN_HPP

#include "lutra_hls.hpp"

// Of turned sequences the place that the loop over their words stands at: WORDS of each of DIRECTIONS of each of SEQUENCES.
template <int WORDS, int SEQUENCES, int DIRECTIONS>
struct lutra_turned {
  int t, sequence, direction, word;
  lutra_turned() : t(0), sequence(0), direction(0), word(0) {}
  // The column, in its own order; less than 0 behind a sequence's end.
  int column(const int (&length)[SEQUENCES]) const {
    const int back = length[sequence] - 1 - t;
    return direction == 0 && back >= 0 ? t : back;
  }
  void next() {
#pragma HLS INLINE
    const bool column = word == WORDS - 1, turn = column && direction == DIRECTIONS - 1;
    const bool round = turn && sequence == SEQUENCES - 1;
    word = column ? 0 : word + 1;
    if (column) direction = turn ? 0 : direction + 1;
    if (turn) sequence = round ? 0 : sequence + 1;
    if (round) t = t + 1;
  }
};

template <int WIDTH, int WORDS, int COLUMNS, int LBITS, int SEQUENCES, int DIRECTIONS, int BLOCK, int BITS, int BLANK,
          int COUNT>
void lutra_turn(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                hls::stream<ap_uint<WIDTH> > &out) {
  ap_uint<WIDTH> kept[SEQUENCES * COLUMNS * WORDS], blank = 0;
  int length[SEQUENCES];
#pragma HLS ARRAY_PARTITION variable=length complete
  for (int lane = 0; lane < WIDTH / BITS; ++lane) {
#pragma HLS UNROLL
    lutra_set<BITS>(blank, lane, ap_uint<BITS>(BLANK));
  }
  for (int s = 0; s < SEQUENCES; ++s) {
#pragma HLS PIPELINE II=1 style=flp
    length[s] = lengths.read();
  }
  for (int k = 0; k < SEQUENCES * COLUMNS * WORDS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    kept[k] = in.read();
  }
  lutra_turned<WORDS, SEQUENCES, DIRECTIONS> at;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const int column = at.column(length);
    out.write(column < 0 ? blank : kept[(at.sequence * COLUMNS + column) * WORDS + at.word]);
    at.next();
  }
}

template <int WIDTH, int WORDS, int COLUMNS, int LBITS, int SEQUENCES, int DIRECTIONS, int BLOCK, int COUNT>
void lutra_unturn(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                  hls::stream<ap_uint<WIDTH> > &out) {
  ap_uint<WIDTH> kept[SEQUENCES * COLUMNS * DIRECTIONS * WORDS];
  int length[SEQUENCES];
#pragma HLS ARRAY_PARTITION variable=length complete
  for (int s = 0; s < SEQUENCES; ++s) {
#pragma HLS PIPELINE II=1 style=flp
    length[s] = lengths.read();
  }
  lutra_turned<WORDS, SEQUENCES, DIRECTIONS> at;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const int column = at.column(length);
    const ap_uint<WIDTH> value = in.read();
    if (column >= 0) kept[((at.sequence * COLUMNS + column) * DIRECTIONS + at.direction) * WORDS + at.word] = value;
    at.next();
  }
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    out.write(kept[k]);
  }
}

#endif
