// Long short-term memory; see lstm.sv and recurrent.hpp.
#ifndef LUTRA_LSTM_HPP
#define LUTRA_LSTM_HPP

#include "recurrent.hpp"

template <int PE, int NF, int SX, int SR, int CONTEXTS, int DIRECTIONS, int REST, int LBITS, int ABITS, int SIMD, int XBITS,
          int XSIGNED, int XSCALE, int XWBITS, int XWSIGNED, int XBIPOLAR, int XFORM, int XDEPTH, int XBLOCK,
          int SIMD_R, int HSCALE, int HWBITS, int HWSIGNED, int HBIPOLAR, int HFORM, int HDEPTH, int HBLOCK,
          int TOGETHER, int STATE_BLOCK, int CELL_BLOCK, int TABLE_BLOCK, int PEEPHOLES = 0, int PBITS = 1,
          int PEEP_SHIFT = 0, int IG_SHIFT, int FC_SHIFT, int GSHIFT, int GQBITS, int GBITS, int GSIGNED,
          int GROUNDING, int GOVERFLOW, int SSHIFT, int SQBITS, int SBITS, int SSIGNED, int SROUNDING, int SOVERFLOW,
          int TSHIFT, int TQBITS, int TBITS, int TSIGNED, int TROUNDING, int TOVERFLOW, int CSHIFT, int CQBITS,
          int CBITS, int CSIGNED, int CROUNDING, int COVERFLOW, int KSHIFT, int KQBITS, int KBITS, int KSIGNED,
          int KROUNDING, int KOVERFLOW, int HSHIFT, int HQBITS, int HBITS, int HSIGNED, int HROUNDING, int HOVERFLOW,
          int SIGMOID_BITS, int TANH_BITS, int CELL_TANH_BITS, int UBITS, int COUNT, int XD, int XL, int HD, int HL,
          int BD, int BL, int PD, int PL, int SD, int SL, int TD, int TL, int CD, int CL>
void lutra_lstm(hls::stream<ap_uint<SIMD * XBITS> > &in, hls::stream<ap_uint<LBITS> > &lengths,
                hls::stream<ap_uint<PE * HBITS> > &out, const lutra_limb (&wx)[XD][XL], const lutra_limb (&wh)[HD][HL],
                const lutra_limb (&bias)[BD][BL], const lutra_limb (&peep)[PD][PL], const lutra_limb (&sigmoid)[SD][SL],
                const lutra_limb (&tanh)[TD][TL], const lutra_limb (&cell_tanh)[CD][CL]) {
#pragma HLS ARRAY_RESHAPE variable=wx dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=wh dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=bias dim=2 complete
#pragma HLS ARRAY_RESHAPE variable=peep dim=2 complete
  const int SF = SX > SR ? SX : SR, ROUND = CONTEXTS * NF * SF, COLUMNS = COUNT / (CONTEXTS * NF);
  const int H = PE * NF, APART = ROUND - NF * SF + SF - TOGETHER / SIMD_R + 1;  // slots from an h's writing to its use
  static_assert(APART > 0, "an h is used before it is there");
  typedef lutra_dots<XFORM, SIMD, XBITS, XSIGNED, XWBITS, XWSIGNED, XBIPOLAR, 1, 1> of_columns;
  typedef lutra_dots<HFORM, SIMD_R, HBITS, HSIGNED, HWBITS, HWSIGNED, HBIPOLAR, 1, 1> of_states;
  ap_uint<SIMD * XBITS> column[SX];
  ap_uint<HBITS> states[2][CONTEXTS * H];  // what this round makes, and what the one before made
#pragma HLS ARRAY_PARTITION variable=states dim=1 complete
#pragma HLS ARRAY_PARTITION variable=states dim=2 cyclic factor=TOGETHER
  ap_uint<CBITS> cells[CONTEXTS * H];
#pragma HLS ARRAY_PARTITION variable=cells cyclic factor=PE
  ap_uint<ABITS> sums[PE * 4];
#pragma HLS ARRAY_PARTITION variable=sums complete
  lutra_recurrent_place<SF, NF, CONTEXTS, DIRECTIONS> at;
  lengths.read();
  for (int slot = 0; slot < COLUMNS * ROUND; ++slot) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=states type=inter direction=RAW distance=APART dependent=true
#pragma HLS DEPENDENCE variable=cells type=inter direction=RAW distance=ROUND dependent=true
    const bool x_on = at.sf < SX, h_on = at.sf >= SF - SR, initial = at.t == 0;
    const int k = h_on ? at.sf - (SF - SR) : 0, sx = x_on ? at.sf : 0;
    if (at.nf == 0 && x_on) column[sx] = in.read();
    ap_uint<SIMD_R * HBITS> past = 0;
    for (int q = 0; q < SIMD_R; ++q) {
#pragma HLS UNROLL
      if (!initial) lutra_set<HBITS>(past, q, states[(at.t + 1) % 2][at.context * H + k * SIMD_R + q]);
    }
    typename of_columns::sum of_x[PE * 4];
    typename of_states::sum of_h[PE * 4];
    ap_uint<SIMD * XWBITS> x_rows[PE * 4];
    ap_uint<SIMD_R * HWBITS> h_rows[PE * 4];
    for (int row = 0; row < PE * 4; ++row) {
#pragma HLS UNROLL
      x_rows[row] = lutra_row<SIMD * XWBITS>(wx[at.word() * SX + sx], row);
      h_rows[row] = lutra_row<SIMD_R * HWBITS>(wh[at.word() * SR + k], row);
    }
    of_columns::template all<PE * 4>(column[sx], x_rows, of_x);
    of_states::template all<PE * 4>(past, h_rows, of_h);
    lutra_recurrent_sum<PE, 4, 0, ABITS, XSCALE, HSCALE>(of_x, of_h, sums, at.sf == 0, x_on, h_on,
                                                               at.word(), bias);
    if (at.sf == SF - 1) {
      ap_uint<PE * HBITS> word = 0;
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        const int neuron = at.context * H + at.nf * PE + p;
        const ap_int<CBITS + 1> c = initial ? ap_int<CBITS + 1>(0) : lutra_value<CSIGNED>(cells[neuron]);
        ap_int<PBITS> weight[3];
        for (int g = 0; g < 3; ++g) {
#pragma HLS UNROLL
          weight[g] = PEEPHOLES ? ap_int<PBITS>(lutra_at<PBITS>(peep[at.word() % PD], p * 3 + g)) : ap_int<PBITS>(0);
        }
        ap_int<SIGMOID_BITS> z[4];
        ap_int<TANH_BITS> z_g = 0;
        ap_int<CBITS + 1> fresh = 0;
        ap_uint<CBITS> code = 0;
        for (int g = 0; g < 4; ++g) {
#pragma HLS UNROLL
          const ap_int<CBITS + 1> seen = g == 3 ? fresh : c;
          ap_int<ABITS> a = ap_int<ABITS>(sums[p * 4 + g]);
          if (PEEPHOLES && g != 2) a += ap_int<ABITS>(ap_int<64>(weight[g == 3 ? 2 : g]) * seen << PEEP_SHIFT);
          const ap_int<GBITS + 1> gate =
              lutra_value<GSIGNED>(lutra_cast_to<GSHIFT, GBITS, GSIGNED, GROUNDING, GOVERFLOW>(a));
          if (g == 2) z_g = lutra_entry<TANH_BITS, TSHIFT, TBITS, TSIGNED, TROUNDING, TOVERFLOW>(gate, tanh);
          if (g != 2) z[g] = lutra_entry<SIGMOID_BITS, SSHIFT, SBITS, SSIGNED, SROUNDING, SOVERFLOW>(gate, sigmoid);
          if (g == 2) {
            const ap_int<UBITS> total = (ap_int<64>(z[0]) * z_g << IG_SHIFT) + (ap_int<64>(z[1]) * c << FC_SHIFT);
            code = lutra_cast_to<CSHIFT, CBITS, CSIGNED, CROUNDING, COVERFLOW>(total);
            fresh = lutra_value<CSIGNED>(code);
          }
        }
        cells[neuron] = code;
        const ap_int<CELL_TANH_BITS> bent =
            lutra_entry<CELL_TANH_BITS, KSHIFT, KBITS, KSIGNED, KROUNDING, KOVERFLOW>(fresh, cell_tanh);
        const ap_int<SIGMOID_BITS + CELL_TANH_BITS> product = z[3] * bent;
        const ap_uint<HBITS> h = lutra_cast_to<HSHIFT, HBITS, HSIGNED, HROUNDING, HOVERFLOW>(product);
        states[at.t % 2][neuron] = h;
        lutra_set<HBITS>(word, p, h);
      }
      out.write(word);
    }
    at.next();
  }
}

#endif
