// From words of IN_LANES elements to words of OUT_LANES, BITS each, in order; the narrower end moves in every slot.
#ifndef LUTRA_WIDTH_HPP
#define LUTRA_WIDTH_HPP

#include "lutra_hls.hpp"

// KIND: 0 words that grow by a whole ratio or stay, 1 that shrink by one, 2 any ratio.
template <int KIND, int BITS, int IN_LANES, int OUT_LANES, int COUNT>
struct lutra_regroup {  // a shift register, the newest part on top
  static void run(hls::stream<ap_uint<IN_LANES * BITS> > &in, hls::stream<ap_uint<OUT_LANES * BITS> > &out) {
#pragma HLS INLINE
    const int RATIO = OUT_LANES / IN_LANES;
    ap_uint<OUT_LANES * BITS> parts = 0;
    int part = 0;
    for (int k = 0; k < COUNT * RATIO; ++k) {
#pragma HLS PIPELINE II=1 style=flp
      if (RATIO > 1) parts >>= RATIO > 1 ? IN_LANES * BITS : 0;
      lutra_set<IN_LANES * BITS>(parts, RATIO - 1, in.read());
      if (part == RATIO - 1) out.write(parts);
      part = part == RATIO - 1 ? 0 : part + 1;
    }
  }
};

template <int BITS, int IN_LANES, int OUT_LANES, int COUNT>
struct lutra_regroup<1, BITS, IN_LANES, OUT_LANES, COUNT> {  // the next part at the bottom
  static void run(hls::stream<ap_uint<IN_LANES * BITS> > &in, hls::stream<ap_uint<OUT_LANES * BITS> > &out) {
#pragma HLS INLINE
    const int RATIO = IN_LANES / OUT_LANES;
    ap_uint<IN_LANES * BITS> parts = 0;
    int part = 0;
    for (int k = 0; k < COUNT; ++k) {
#pragma HLS PIPELINE II=1 style=flp
      if (part == 0)
        parts = in.read();
      else
        parts >>= OUT_LANES * BITS;
      out.write(ap_uint<OUT_LANES * BITS>(parts));
      part = part == RATIO - 1 ? 0 : part + 1;
    }
  }
};

template <int BITS, int IN_LANES, int OUT_LANES, int COUNT>
struct lutra_regroup<2, BITS, IN_LANES, OUT_LANES, COUNT> {  // what is left over at the bottom, a new word on top of it
  static void run(hls::stream<ap_uint<IN_LANES * BITS> > &in, hls::stream<ap_uint<OUT_LANES * BITS> > &out) {
#pragma HLS INLINE
    const bool DOWN = IN_LANES > OUT_LANES;
    const int WIDE = IN_LANES + (DOWN ? IN_LANES : OUT_LANES);
    const int SLOTS = DOWN ? COUNT : COUNT * OUT_LANES / IN_LANES;
    ap_uint<WIDE * BITS> rest = 0;
    int left = 0;
    for (int k = 0; k < SLOTS; ++k) {
#pragma HLS PIPELINE II=1 style=flp
      if (!DOWN || left < OUT_LANES) {
        rest |= ap_uint<WIDE * BITS>(in.read()) << (left * BITS);
        left += IN_LANES;
      }
      if (left >= OUT_LANES) {
        out.write(ap_uint<OUT_LANES * BITS>(rest));
        rest >>= OUT_LANES * BITS;
        left -= OUT_LANES;
      }
    }
  }
};

template <int BITS, int IN_LANES, int OUT_LANES, int COUNT>
void lutra_width(hls::stream<ap_uint<IN_LANES * BITS> > &in, hls::stream<ap_uint<OUT_LANES * BITS> > &out) {
  const int KIND = OUT_LANES % IN_LANES == 0 ? 0 : IN_LANES % OUT_LANES == 0 ? 1 : 2;
  lutra_regroup<KIND, BITS, IN_LANES, OUT_LANES, COUNT>::run(in, out);
}

#endif
