// A border of a constant around each frame, and gaps of it between its rows and columns: see pad.sv.
#ifndef LUTRA_PAD_HPP
#define LUTRA_PAD_HPP

#include "lutra_hls.hpp"
#include "span.hpp"

template <int IN_BITS, int IN_SIGNED, int OUT_BITS, int MUL, int ADD, int BORDER, int LANES, int WORDS, int HEIGHT,
          int COLUMNS, int TOP, int LEFT, int BOTTOM, int RIGHT, int ROW_GAP, int COLUMN_GAP, int COUNT>
void lutra_pad(hls::stream<ap_uint<LANES * IN_BITS> > &in, hls::stream<ap_uint<LANES * OUT_BITS> > &out) {
  lutra_span<LEFT, COLUMNS, COLUMN_GAP, RIGHT> column;
  lutra_span<TOP, HEIGHT, ROW_GAP, BOTTOM> row;
  int part = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const bool interior = column.interior() && row.interior();
    ap_uint<LANES * IN_BITS> word = 0;
    if (interior) word = in.read();
    ap_uint<LANES * OUT_BITS> codes = 0;
    for (int i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
      const ap_uint<OUT_BITS> wide = lutra_value<IN_SIGNED>(lutra_get<IN_BITS>(word, i));
      const ap_uint<OUT_BITS> code = ap_uint<OUT_BITS>(ADD) + ap_uint<OUT_BITS>(ap_uint<OUT_BITS>(MUL) * wide);
      lutra_set<OUT_BITS>(codes, i, interior ? code : ap_uint<OUT_BITS>(BORDER));
    }
    out.write(codes);
    if (part == WORDS - 1 && column.step()) row.step();
    part = part == WORDS - 1 ? 0 : part + 1;
  }
}

#endif
