// A matrix-vector unit of Lutra's library by itself: y = W x for 8 inputs of 4 bits and 4 outputs, 4 inputs and 2 outputs a
// cycle, so that a vector takes 4 cycles. Give this file to Vitis HLS, with `dense` as the top function.
#include "kernel.hpp"

#include "matmul.hpp"

// 4 words of 2 rows of 4 weights of 3 bits, two's complement: word nf * SF + sf holds row nf * PE + p, column sf * SIMD + q,
// row p of it in bits 12 p, lane q of that in bits 3 q.
static const lutra_limb weights[4][1] = {{0x688a53u}, {0x7055c1u}, {0x3f8e2au}, {0x14763du}};

void dense(hls::stream<ap_uint<16> > &in, hls::stream<ap_uint<22> > &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
#pragma HLS BIND_STORAGE variable=weights type=rom_1p impl=lutram
  const int PE = 2, SIMD = 4, NF = 2, SF = 2;
  const int XBITS = 4, XSIGNED = 0, WBITS = 3, WSIGNED = 1, BIPOLAR = 0;
  const int FORM = 1;  // products in LUTs; 2: in DSP blocks
  const int TERMS = 1, REACH = 1, SCALE = 1, OBITS = 11, BIASED = 0, DEPTH = 3, BLOCK = 0;
  const int COUNT = VECTORS * NF;  // words that a call gives
  lutra_matmul<PE, SIMD, NF, SF, XBITS, XSIGNED, WBITS, WSIGNED, BIPOLAR, FORM, TERMS, REACH, SCALE, OBITS, BIASED, DEPTH,
               BLOCK, COUNT>(in, out, weights, lutra_none);
}
