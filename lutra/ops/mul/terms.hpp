// What products of codes are made of.
#ifndef LUTRA_TERMS_HPP
#define LUTRA_TERMS_HPP

#include "lutra_hls.hpp"

// What products of radix-4 digits lack where a digit below zero only inverts: of each such digit of w the power of 4 (see
// times.sv, EXACT = 0).
template <int WSIGNED, int WBITS>
inline ap_uint<WBITS + 3> lutra_lacking(const ap_uint<WBITS> &w) {
#pragma HLS INLINE
  const ap_int<WBITS + 4> rest = ap_int<WBITS + 4>(lutra_value<WSIGNED>(w)) << 1;
  ap_uint<WBITS + 3> lacking = 0;
  for (int i = 0; i < (WBITS + (WSIGNED ? 0 : 1) + 1) / 2; ++i) {
#pragma HLS UNROLL
    const ap_uint<3> digit = rest >> (2 * i);
    if (digit[2] && !(digit[1] && digit[0])) lacking |= ap_uint<WBITS + 3>(1) << (2 * i);
  }
  return lacking;
}

// w * x of codes, as times.sv has it.
template <int XSIGNED, int WSIGNED, int EXACT, int XBITS, int WBITS>
inline ap_int<XBITS + WBITS + 4> lutra_times(const ap_uint<XBITS> &x, const ap_uint<WBITS> &w) {
#pragma HLS INLINE
  const ap_int<XBITS + WBITS + 4> product = lutra_value<WSIGNED>(w) * lutra_value<XSIGNED>(x);
  if (EXACT) return product;
  return product - ap_int<WBITS + 4>(lutra_lacking<WSIGNED>(w));
}

#endif
