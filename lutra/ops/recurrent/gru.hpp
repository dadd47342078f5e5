// Gated recurrent unit; see gru.sv and recurrent.hpp.
#ifndef LUTRA_GRU_HPP
#define LUTRA_GRU_HPP

#include "recurrent.hpp"

template <int PE, int NF, int SX, int SR, int CONTEXTS, int DIRECTIONS, int REST, int LBITS, int ABITS, int SIMD, int XBITS,
          int XSIGNED, int XSCALE, int XWBITS, int XWSIGNED, int XBIPOLAR, int XFORM, int XDEPTH, int XBLOCK,
          int SIMD_R, int HSCALE, int HWBITS, int HWSIGNED, int HBIPOLAR, int HFORM, int HDEPTH, int HBLOCK,
          int TOGETHER, int STATE_BLOCK, int PAST_BLOCK, int TABLE_BLOCK, int RU_SHIFT, int ZN_SHIFT, int ZH_SHIFT,
          int ONE, int GSHIFT, int GQBITS, int GBITS, int GSIGNED, int GROUNDING, int GOVERFLOW, int USHIFT,
          int UQBITS, int UBITS, int USIGNED, int UROUNDING, int UOVERFLOW, int SSHIFT, int SQBITS, int SBITS,
          int SSIGNED, int SROUNDING, int SOVERFLOW, int TSHIFT, int TQBITS, int TBITS, int TSIGNED, int TROUNDING,
          int TOVERFLOW, int HSHIFT, int HQBITS, int HBITS, int HSIGNED, int HROUNDING, int HOVERFLOW,
          int SIGMOID_BITS, int TANH_BITS, int RBITS, int VBITS, int COUNT, int XD, int XL, int HD, int HL, int BD,
          int BL, int SD, int SL, int TD, int TL>
void lutra_gru(hls::stream<ap_uint<SIMD * XBITS> > &in, hls::stream<ap_uint<LBITS> > &lengths,
               hls::stream<ap_uint<PE * HBITS> > &out, const lutra_limb (&wx)[XD][XL], const lutra_limb (&wh)[HD][HL],
               const lutra_limb (&bias)[BD][BL], const lutra_limb (&sigmoid)[SD][SL],
               const lutra_limb (&tanh)[TD][TL]) {
#pragma HLS ARRAY_RESHAPE variable=wx dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=wh dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=bias dim=2 complete
  const int SF = SX > SR ? SX : SR, ROUND = CONTEXTS * NF * SF, COLUMNS = COUNT / (CONTEXTS * NF);
  const int H = PE * NF, APART = ROUND - NF * SF + SF - TOGETHER / SIMD_R + 1;  // slots from an h's writing to its use
  static_assert(APART > 0, "an h is used before it is there");
  typedef lutra_dots<XFORM, SIMD, XBITS, XSIGNED, XWBITS, XWSIGNED, XBIPOLAR, 1, 1> of_columns;
  typedef lutra_dots<HFORM, SIMD_R, HBITS, HSIGNED, HWBITS, HWSIGNED, HBIPOLAR, 1, 1> of_states;
  ap_uint<SIMD * XBITS> column[SX];
  ap_uint<HBITS> states[2][CONTEXTS * H];  // what this round makes, and what the one before made
#pragma HLS ARRAY_PARTITION variable=states dim=1 complete
#pragma HLS ARRAY_PARTITION variable=states dim=2 cyclic factor=TOGETHER
  ap_uint<ABITS> sums[PE * 4];
#pragma HLS ARRAY_PARTITION variable=sums complete
  lutra_recurrent_place<SF, NF, CONTEXTS, DIRECTIONS> at;
  lengths.read();
  for (int slot = 0; slot < COLUMNS * ROUND; ++slot) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=states type=inter direction=RAW distance=APART dependent=true
    const bool x_on = at.sf < SX, h_on = at.sf >= SF - SR, initial = at.t == 0;
    const int k = h_on ? at.sf - (SF - SR) : 0, sx = x_on ? at.sf : 0;
    if (at.nf == 0 && x_on) column[sx] = in.read();
    ap_uint<SIMD_R * HBITS> past = 0;
    for (int q = 0; q < SIMD_R; ++q) {
#pragma HLS UNROLL
      if (!initial) lutra_set<HBITS>(past, q, states[(at.t + 1) % 2][at.context * H + k * SIMD_R + q]);
    }
    typename of_columns::sum of_x[PE * 3];
    typename of_states::sum of_h[PE * 3];
    ap_uint<SIMD * XWBITS> x_rows[PE * 3];
    ap_uint<SIMD_R * HWBITS> h_rows[PE * 3];
    for (int row = 0; row < PE * 3; ++row) {
#pragma HLS UNROLL
      x_rows[row] = lutra_row<SIMD * XWBITS>(wx[at.word() * SX + sx], row);
      h_rows[row] = lutra_row<SIMD_R * HWBITS>(wh[at.word() * SR + k], row);
    }
    of_columns::template all<PE * 3>(column[sx], x_rows, of_x);
    of_states::template all<PE * 3>(past, h_rows, of_h);
    lutra_recurrent_sum<PE, 3, 1, ABITS, XSCALE, HSCALE>(of_x, of_h, sums, at.sf == 0, x_on, h_on,
                                                               at.word(), bias);
    if (at.sf == SF - 1) {
      ap_uint<PE * HBITS> word = 0;
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        const int neuron = at.context * H + at.nf * PE + p;
        const ap_int<HBITS + 1> last =
            initial ? ap_int<HBITS + 1>(0) : lutra_value<HSIGNED>(states[(at.t + 1) % 2][neuron]);
        ap_int<SIGMOID_BITS> z[2];
        for (int g = 0; g < 2; ++g) {
#pragma HLS UNROLL
          const ap_int<ABITS> a = ap_int<ABITS>(sums[p * 4 + g]);
          const ap_int<GBITS + 1> gate =
              lutra_value<GSIGNED>(lutra_cast_to<GSHIFT, GBITS, GSIGNED, GROUNDING, GOVERFLOW>(a));
          z[g] = lutra_entry<SIGMOID_BITS, SSHIFT, SBITS, SSIGNED, SROUNDING, SOVERFLOW>(gate, sigmoid);
        }
        const ap_int<ABITS> of_past = ap_int<ABITS>(sums[p * 4 + 3]);
        const ap_int<UBITS + 1> u =
            lutra_value<USIGNED>(lutra_cast_to<USHIFT, UBITS, USIGNED, UROUNDING, UOVERFLOW>(of_past));
        ap_int<ABITS> a = ap_int<ABITS>(sums[p * 4 + 2]);
        a += ap_int<ABITS>(ap_int<64>(z[0]) * u << RU_SHIFT);
        const ap_int<GBITS + 1> gate =
            lutra_value<GSIGNED>(lutra_cast_to<GSHIFT, GBITS, GSIGNED, GROUNDING, GOVERFLOW>(a));
        const ap_int<TANH_BITS> n = lutra_entry<TANH_BITS, TSHIFT, TBITS, TSIGNED, TROUNDING, TOVERFLOW>(gate, tanh);
        const ap_int<RBITS> rest = ONE - z[1];
        const ap_int<VBITS> total = (ap_int<64>(rest) * n << ZN_SHIFT) + (ap_int<64>(z[1]) * last << ZH_SHIFT);
        const ap_uint<HBITS> h = lutra_cast_to<HSHIFT, HBITS, HSIGNED, HROUNDING, HOVERFLOW>(total);
        states[at.t % 2][neuron] = h;
        lutra_set<HBITS>(word, p, h);
      }
      out.write(word);
    }
    at.next();
  }
}

#endif
