// Blocks of BLOCK elements, LANES a word, in another order: see reorder.sv, whose addresses these are. Where words hold
// whole blocks, `file` says where each element comes from; else words are moved through a memory of two blocks, of which
// one is written while the other is read.
#ifndef LUTRA_REORDER_HPP
#define LUTRA_REORDER_HPP

#include "lutra_hls.hpp"

// By lanes.
template <int WHOLE, int BITS, int LANES, int BLOCK, int FIRST, int COUNT1, int COUNT2, int COUNT3, int COUNT4, int STEP1,
          int STEP2, int STEP3, int STEP4, int STEP_BLOCK, int ROM, int COUNT, int UNIT>
struct lutra_reordered {
  template <int D, int L>
  static void run(hls::stream<ap_uint<LANES * BITS> > &in, hls::stream<ap_uint<LANES * BITS> > &out,
                  const lutra_limb (&file)[D][L]) {
#pragma HLS INLINE
    const int INDEX = lutra_bits(BLOCK - 1);
    for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
      const ap_uint<LANES * BITS> word = in.read();
      ap_uint<LANES * BITS> moved = 0;
      for (int i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
        const int from = i / BLOCK * BLOCK + int(lutra_at<INDEX>(file[0], i % BLOCK));
        lutra_set<BITS>(moved, i, lutra_get<BITS>(word, from));
      }
      out.write(moved);
    }
  }
};

// By words. One loop writes and reads, as that of lutra_window: once a word is there to be read, it takes only what has come
// already, and the next frame's among that.
template <int BITS, int LANES, int BLOCK, int FIRST, int COUNT1, int COUNT2, int COUNT3, int COUNT4, int STEP1, int STEP2,
          int STEP3, int STEP4, int STEP_BLOCK, int ROM, int COUNT, int UNIT>
struct lutra_reordered<0, BITS, LANES, BLOCK, FIRST, COUNT1, COUNT2, COUNT3, COUNT4, STEP1, STEP2, STEP3, STEP4, STEP_BLOCK,
                       ROM, COUNT, UNIT> {
  template <int D, int L>
  static void run(hls::stream<ap_uint<LANES * BITS> > &in, hls::stream<ap_uint<LANES * BITS> > &out,
                  const lutra_limb (&file)[D][L]) {
#pragma HLS INLINE
    const int WORDS = BLOCK / LANES, DEPTH = 2 * WORDS;
    static ap_uint<LANES * BITS> memory[DEPTH];
#pragma HLS BIND_STORAGE variable=memory type=ram_s2p
    static int to = 0, in_block = 0, full = 0;  // blocks that are written and not read to their end
    static int taken = 0;  // of this frame; more than it has are the next one's
    static int from = FIRST, place = 0, half = 0, n1 = 0, n2 = 0, n3 = 0, n4 = 0;
    int given = 0;
    for (int k = 0; k < 2 * COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
      const bool ready = given < COUNT && full != 0;
      bool came = false;
      ap_uint<LANES * BITS> next = 0;
      if (full != 2 && ready) {
        came = in.read_nb(next);
      } else if (full != 2 && taken < COUNT) {
        next = in.read();
        came = true;
      }
      int more = 0;
      if (came) {
        memory[to] = next;
        to = to == DEPTH - 1 ? 0 : to + 1;
        more = in_block == WORDS - 1 ? 1 : 0;
        in_block = in_block == WORDS - 1 ? 0 : in_block + 1;
        ++taken;
      }
      if (ready) {
        out.write(memory[ROM ? int(file[place % D][0]) + half : from]);
        const bool last1 = n1 == COUNT1 - 1, last2 = last1 && n2 == COUNT2 - 1;
        const bool last3 = last2 && n3 == COUNT3 - 1, last4 = last3 && n4 == COUNT4 - 1;
        const int far = from + (!last1 ? STEP1 : !last2 ? STEP2 : !last3 ? STEP3 : !last4 ? STEP4 : STEP_BLOCK);
        from = far >= DEPTH ? far - DEPTH : far;
        n1 = last1 ? 0 : n1 + 1;
        if (last1) n2 = last2 ? 0 : n2 + 1;
        if (last2) n3 = last3 ? 0 : n3 + 1;
        if (last3) n4 = last4 ? 0 : n4 + 1;
        if (place == WORDS - 1) {
          half = half == 0 ? WORDS : 0;
          --more;
        }
        place = place == WORDS - 1 ? 0 : place + 1;
        ++given;
      }
      full += more;
      if (given == COUNT && taken >= COUNT) break;
    }
    taken -= COUNT;
  }
};

template <int BITS, int LANES, int BLOCK, int RAM = 0, int FIRST = 0, int COUNT1 = 1, int COUNT2 = 1, int COUNT3 = 1,
          int COUNT4 = 1, int STEP1 = 0, int STEP2 = 0, int STEP3 = 0, int STEP4 = 0, int STEP_BLOCK = 0, int ROM = 0, int COUNT,
          int UNIT, int D, int L>
void lutra_reorder(hls::stream<ap_uint<LANES * BITS> > &in, hls::stream<ap_uint<LANES * BITS> > &out,
                   const lutra_limb (&file)[D][L]) {
  lutra_reordered<LANES % BLOCK == 0 ? 1 : 0, BITS, LANES, BLOCK, FIRST, COUNT1, COUNT2, COUNT3, COUNT4, STEP1, STEP2, STEP3,
                  STEP4, STEP_BLOCK, ROM, COUNT, UNIT>::run(in, out, file);
}

#endif
