// Gives each word of a stream to several others.
#ifndef LUTRA_FORK_HPP
#define LUTRA_FORK_HPP

#include "lutra_hls.hpp"

template <int WIDTH, int SINKS, int COUNT, class... Streams>
void lutra_fork(hls::stream<ap_uint<WIDTH> > &in, Streams &...outs) {
  static_assert(sizeof...(outs) == SINKS, "a stream for each sink");
  for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<WIDTH> word = in.read();
    const int written[] = {(outs.write(word), 0)...};
    (void)written;
  }
}

#endif
