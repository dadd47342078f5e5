// The words of a memory that a host writes, in order, over and over.
#ifndef LUTRA_WEIGHTS_HPP
#define LUTRA_WEIGHTS_HPP

#include "lutra_hls.hpp"

template <int WIDTH, int DEPTH, int PLACE, int COUNT>
void lutra_weights(const lutra_limb words[DEPTH][lutra_limbs(WIDTH)], hls::stream<ap_uint<WIDTH> > &out) {
  int at = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    lutra_limb limbs[lutra_limbs(WIDTH)];
#pragma HLS ARRAY_PARTITION variable=limbs complete
    for (int i = 0; i < lutra_limbs(WIDTH); ++i) {
#pragma HLS UNROLL
      limbs[i] = words[at][i];
    }
    out.write(lutra_row<WIDTH>(limbs, 0));
    at = at == DEPTH - 1 ? 0 : at + 1;
  }
}

#endif
