// y = values[channel][code of x], PE channels a cycle.
#ifndef LUTRA_TABLE_HPP
#define LUTRA_TABLE_HPP

#include "lutra_hls.hpp"

template <int PE, int NF, int XBITS, int OBITS, int LANES, int BLOCK, int COUNT, int D, int L>
void lutra_table(hls::stream<ap_uint<PE * XBITS> > &in, hls::stream<ap_uint<PE * OBITS> > &out,
                 const lutra_limb (&values)[D][L]) {
#pragma HLS ARRAY_RESHAPE variable=values dim=2 complete
  int nf = 0;
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<PE * XBITS> word = in.read();
    ap_uint<PE * OBITS> result = 0;
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      const int node = (nf << XBITS) + int(lutra_get<XBITS>(word, p));
      lutra_set<OBITS>(result, p, lutra_at<OBITS>(values[node], p % LANES));
    }
    out.write(result);
    nf = nf == NF - 1 ? 0 : nf + 1;
  }
}

#endif
