// Sliding window: rows go into a circular buffer of ROWS rows, and for each output pixel KH * KW pixels of WORDS words
// come out of it: see window.sv, whose addresses these are.
//
// One loop writes and reads. Once the next word to be read is there, it takes only what has come already, so that the
// next frame's first rows are taken while this one's last are read, if they are there; the buffer and its state stay from
// call to call, so UNIT tells instances of the same shape apart.
#ifndef LUTRA_WINDOW_HPP
#define LUTRA_WINDOW_HPP

#include "lutra_hls.hpp"

template <int WIDTH, int WORDS, int ROW, int ROWS, int NEED, int FREE, int FREE_LAST, int DEBT, int KH, int KW, int OUT_ROWS,
          int OUT_COLUMNS, int STEP_KW, int STEP_KH, int STEP_COLUMN, int STEP_ROW, int STEP_FRAME, int BLOCK, int COUNT,
          int UNIT>
void lutra_window(hls::stream<ap_uint<WIDTH> > &in, hls::stream<ap_uint<WIDTH> > &out) {
  const int DEPTH = ROWS * ROW;
  const int TAKEN = ((OUT_ROWS - 1) * FREE + FREE_LAST) * ROW;  // words of a frame
  static ap_uint<WIDTH> buffer[DEPTH];
#pragma HLS BIND_STORAGE variable=buffer type=ram_s2p
  static int to = 0, from = 0, in_row = 0, room = ROWS, have = DEBT;
  static int taken = 0;  // of this frame; more than it has are the next one's
  int given = 0, word = 0, kw = 0, kh = 0, column = 0, row = 0;
  bool start = true;
  for (int k = 0; k < TAKEN + COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const bool ready = given < COUNT && (!start || have >= NEED + DEBT);
    bool came = false;
    ap_uint<WIDTH> next = 0;
    if (room != 0 && ready)
      came = in.read_nb(next);
    else if (room != 0 && taken < TAKEN) {
      next = in.read();
      came = true;
    }
    int written = 0, freed = 0;
    if (came) {
      buffer[to] = next;
      to = to == DEPTH - 1 ? 0 : to + 1;
      written = in_row == ROW - 1 ? 1 : 0;
      in_row = in_row == ROW - 1 ? 0 : in_row + 1;
      ++taken;
    }
    if (ready) {
      out.write(buffer[from]);
      const bool last_word = word == WORDS - 1, last_kw = kw == KW - 1, last_kh = kh == KH - 1;
      const bool last_column = column == OUT_COLUMNS - 1, last_row = row == OUT_ROWS - 1;
      const bool end_kw = last_word && last_kw, end_pixel = end_kw && last_kh, end_row = end_pixel && last_column;
      const int distance = !last_word ? 1 : !last_kw ? STEP_KW : !last_kh ? STEP_KH : !last_column ? STEP_COLUMN
                           : !last_row ? STEP_ROW : STEP_FRAME;
      from = from + distance >= DEPTH ? from + distance - DEPTH : from + distance;
      word = last_word ? 0 : word + 1;
      if (last_word) kw = last_kw ? 0 : kw + 1;
      if (end_kw) kh = last_kh ? 0 : kh + 1;
      if (end_pixel) column = last_column ? 0 : column + 1;
      if (end_row) row = last_row ? 0 : row + 1;
      if (end_row) freed = last_row ? FREE_LAST : FREE;
      start = end_row;
      ++given;
    }
    room += freed - written;
    have += written - freed;
    if (given == COUNT && taken >= TAKEN) break;
  }
  taken -= TAKEN;
}

#endif
