// Labels without repeats and blanks, then blanks; see collapse.sv. Of LENGTHS sequences, each in COLUMNS slots that take
// its labels and as many that give blanks.
#ifndef LUTRA_COLLAPSE_HPP
#define LUTRA_COLLAPSE_HPP

#include "lutra_hls.hpp"

template <int BITS, int LBITS, int BLANK, int LENGTHS, int COUNT>
void lutra_collapse(hls::stream<ap_uint<BITS> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                    hls::stream<ap_uint<BITS> > &out) {
  const int GIVEN = COUNT / LENGTHS, SLOTS = 2 * GIVEN - 1;  // of a sequence
  ap_uint<BITS> previous = BLANK;
  int length = 0, given = 0, slot = 0;
  for (int k = 0; k < LENGTHS * SLOTS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    if (slot == 0) {
      length = lengths.read();
      previous = BLANK;
      given = 0;
    }
    if (slot < GIVEN - 1) {
      const ap_uint<BITS> label = in.read();
      if (slot < length && label != BLANK && label != previous) {
        out.write(label);
        ++given;
      }
      previous = label;
    } else if (given < GIVEN) {
      out.write(ap_uint<BITS>(BLANK));
      ++given;
    }
    slot = slot == SLOTS - 1 ? 0 : slot + 1;
  }
}

#endif
