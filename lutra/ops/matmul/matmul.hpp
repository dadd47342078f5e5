// y = W x, one word of SIMD inputs and PE rows a cycle: the schedule, codes and memories of matmul.sv.
//
// `lutra_matmul` has its weights in a memory; in `lutra_matmul_streamed` they come as a second stream.
#ifndef LUTRA_MATMUL_HPP
#define LUTRA_MATMUL_HPP

#include "dots.hpp"
#include "lutra_hls.hpp"

// A slot's word of x: from outside while `fresh`, and kept for the output words after the first.
template <int WIDTH, int NF, int SF>
inline ap_uint<WIDTH> lutra_replayed(hls::stream<ap_uint<WIDTH> > &in, ap_uint<WIDTH> (&kept)[SF], bool fresh, int sf) {
#pragma HLS INLINE
  if (!fresh) return kept[sf];
  const ap_uint<WIDTH> word = in.read();
  if (NF > 1) kept[sf] = word;
  return word;
}

// Adds a slot's dot products to PE sums, which begin with `bias`; the sums as a word.
template <int PE, int OBITS, int SCALE, int BIASED, int W, int BD, int BL>
inline ap_uint<PE * OBITS> lutra_summed(const ap_int<W> (&dots)[PE], ap_uint<OBITS> (&sums)[PE], bool first, int nf,
                                        const lutra_limb (&bias)[BD][BL]) {
#pragma HLS INLINE
  ap_uint<PE * OBITS> word = 0;
  for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
    const ap_uint<OBITS> begin = BIASED ? lutra_at<OBITS>(bias[nf % BD], p) : ap_uint<OBITS>(0);
    const ap_uint<OBITS> more = SCALE == 1 ? ap_uint<OBITS>(dots[p]) : ap_uint<OBITS>(dots[p] * SCALE);
    sums[p] = (first ? begin : sums[p]) + more;
    lutra_set<OBITS>(word, p, sums[p]);
  }
  return word;
}

template <int PE, int SIMD, int NF, int SF, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int FORM,
          int TERMS = 1, int REACH = 1, int SCALE, int OBITS, int BIASED, int DEPTH, int BLOCK, int COUNT, int WD, int WL,
          int BD, int BL>
void lutra_matmul(hls::stream<ap_uint<SIMD * XBITS> > &in, hls::stream<ap_uint<PE * OBITS> > &out,
                  const lutra_limb (&weights)[WD][WL], const lutra_limb (&bias)[BD][BL]) {
#pragma HLS ARRAY_RESHAPE variable=weights dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=bias dim=2 complete
  typedef lutra_dots<FORM, SIMD, XBITS, XSIGNED, WBITS, WSIGNED, BIPOLAR, TERMS, REACH> dots_of;
  ap_uint<SIMD * XBITS> kept[SF];
  ap_uint<OBITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
  int nf = 0, sf = 0, tile = 0;
  for (int slot = 0; slot < COUNT * SF; ++slot) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<SIMD * XBITS> x = lutra_replayed<SIMD * XBITS, NF, SF>(in, kept, nf == 0, sf);
    typename dots_of::sum dots[PE];
#pragma HLS ARRAY_PARTITION variable=dots complete
    ap_uint<SIMD * WBITS> rows[PE];
#pragma HLS ARRAY_PARTITION variable=rows complete
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      rows[p] = lutra_row<SIMD * WBITS>(weights[tile], p);
    }
    dots_of::template all<PE>(x, rows, dots);
    const ap_uint<PE * OBITS> word = lutra_summed<PE, OBITS, SCALE, BIASED>(dots, sums, sf == 0, nf, bias);
    if (sf == SF - 1) out.write(word);
    tile = tile == NF * SF - 1 ? 0 : tile + 1;
    if (sf == SF - 1) nf = nf == NF - 1 ? 0 : nf + 1;
    sf = sf == SF - 1 ? 0 : sf + 1;
  }
}

template <int PE, int SIMD, int NF, int SF, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int FORM,
          int TERMS = 1, int REACH = 1, int SCALE, int OBITS, int BIASED, int DEPTH, int COUNT, int BD, int BL>
void lutra_matmul_streamed(hls::stream<ap_uint<SIMD * XBITS> > &in, hls::stream<ap_uint<PE * SIMD * WBITS> > &weights,
                           hls::stream<ap_uint<PE * OBITS> > &out, const lutra_limb (&bias)[BD][BL]) {
#pragma HLS ARRAY_RESHAPE variable=bias dim=2 complete
  typedef lutra_dots<FORM, SIMD, XBITS, XSIGNED, WBITS, WSIGNED, BIPOLAR, TERMS, REACH> dots_of;
  ap_uint<SIMD * XBITS> kept[SF];
  ap_uint<OBITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
  int nf = 0, sf = 0;
  for (int slot = 0; slot < COUNT * SF; ++slot) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_uint<SIMD * XBITS> x = lutra_replayed<SIMD * XBITS, NF, SF>(in, kept, nf == 0, sf);
    typename dots_of::sum dots[PE];
#pragma HLS ARRAY_PARTITION variable=dots complete
    const ap_uint<PE * SIMD * WBITS> w = weights.read();
    ap_uint<SIMD * WBITS> rows[PE];
#pragma HLS ARRAY_PARTITION variable=rows complete
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      rows[p] = lutra_get<SIMD * WBITS>(w, p);
    }
    dots_of::template all<PE>(x, rows, dots);
    const ap_uint<PE * OBITS> word = lutra_summed<PE, OBITS, SCALE, BIASED>(dots, sums, sf == 0, nf, bias);
    if (sf == SF - 1) out.write(word);
    if (sf == SF - 1) nf = nf == NF - 1 ? 0 : nf + 1;
    sf = sf == SF - 1 ? 0 : sf + 1;
  }
}

#endif
