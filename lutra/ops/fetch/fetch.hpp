// Words from off-chip memory, a frame's at a time: PER words side by side in each beat of BUS bits, or one word in JOIN beats,
// the low bits first. A round of WORDS is read again and again; each frame begins one.
#ifndef LUTRA_FETCH_HPP
#define LUTRA_FETCH_HPP

#include "lutra_hls.hpp"

// Beats of so many words.
constexpr int lutra_beats(int words, int per, int join) { return join > 1 ? words * join : (words + per - 1) / per; }

// The beats of COUNT words: rounds to their end, then what is left of COUNT.
template <int BUS, int WORDS, int PER, int JOIN, int COUNT>
void lutra_asked(const ap_uint<BUS> *memory, hls::stream<ap_uint<BUS> > &out) {
  for (int round = 0; round < COUNT / WORDS; ++round) {
    for (int k = 0; k < lutra_beats(WORDS, PER, JOIN); ++k) {
#pragma HLS PIPELINE II=1
      out.write(memory[k]);
    }
  }
  for (int k = 0; k < lutra_beats(COUNT % WORDS, PER, JOIN); ++k) {
#pragma HLS PIPELINE II=1
    out.write(memory[k]);
  }
}

template <int WIDTH, int BUS, int WORDS, int PER, int JOIN, int COUNT>
void lutra_cut(hls::stream<ap_uint<BUS> > &in, hls::stream<ap_uint<WIDTH> > &out) {
  ap_uint<JOIN * BUS> held = 0;
  int part = 0, word = 0;
  for (int k = 0; k < COUNT * JOIN; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    if (JOIN > 1) {
      lutra_set<BUS>(held, part, in.read());
    } else if (part == 0) {
      held = in.read();
    } else {
      held >>= JOIN > 1 ? 0 : WIDTH;
    }
    const bool last = word == WORDS - 1;
    if (JOIN == 1 || part == JOIN - 1) {
      out.write(ap_uint<WIDTH>(held));
      word = last ? 0 : word + 1;
    }
    part = part == (JOIN > 1 ? JOIN : PER) - 1 || (JOIN == 1 && last) ? 0 : part + 1;
  }
}

template <int WIDTH, int WORDS, int BUS, int BURST, int DEPTH, int BLOCK, int COUNT>
void lutra_fetch(const ap_uint<BUS> *memory, hls::stream<ap_uint<WIDTH> > &out) {
#pragma HLS DATAFLOW
  const int PER = BUS >= WIDTH ? BUS / WIDTH : 1, JOIN = BUS >= WIDTH ? 1 : (WIDTH + BUS - 1) / BUS;
  hls::stream<ap_uint<BUS> > beats("beats");
#pragma HLS STREAM variable=beats depth=DEPTH
  lutra_asked<BUS, WORDS, PER, JOIN, COUNT>(memory, beats);
  lutra_cut<WIDTH, BUS, WORDS, PER, JOIN, COUNT>(beats, out);
}

#endif
