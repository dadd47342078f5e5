// Dot products of PE rows of weights with SIMD codes of x, in the forms of matmul.sv: 0 bit planes, 1 multipliers in
// LUTs, 2 multipliers in DSP blocks, 3 two products in each of these, 4 shifts.
#ifndef LUTRA_DOTS_HPP
#define LUTRA_DOTS_HPP

#include "lutra_hls.hpp"

template <int A, int B>
inline ap_int<A + B> lutra_product_in_luts(const ap_int<A> &a, const ap_int<B> &b) {
#pragma HLS INLINE
  ap_int<A + B> product = a * b;
#pragma HLS BIND_OP variable=product op=mul impl=fabric
  return product;
}

template <int A, int B>
inline ap_int<A + B> lutra_product_in_dsp(const ap_int<A> &a, const ap_int<B> &b) {
#pragma HLS INLINE
  ap_int<A + B> product = a * b;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
  return product;
}

// Forms 1 and 2: a product for each lane.
template <int FORM, int SIMD, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int TERMS, int REACH>
struct lutra_dots {
  typedef ap_int<XBITS + WBITS + lutra_bits(SIMD) + 2> sum;

  template <int PE>
  static void all(const ap_uint<SIMD * XBITS> &x, const ap_uint<SIMD * WBITS> (&w)[PE], sum (&dots)[PE]) {
#pragma HLS INLINE
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      dots[p] = 0;
      for (int q = 0; q < SIMD; ++q) {
#pragma HLS UNROLL
        const ap_int<XBITS + 1> a = lutra_value<XSIGNED>(lutra_get<XBITS>(x, q));
        const ap_int<WBITS + 1> b = lutra_value<WSIGNED>(lutra_get<WBITS>(w[p], q));
        dots[p] += FORM == 2 ? lutra_product_in_dsp(b, a) : lutra_product_in_luts(b, a);
      }
    }
  }
};

// Form 0: a popcount for each pair of a bit of x and a bit of w. Bipolar weights (0 and 1 for -1 and +1) count equal
// bits, and lie in memory as `lutra_signs` says.
template <int SIMD, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int TERMS, int REACH>
struct lutra_dots<0, SIMD, XBITS, XSIGNED, WBITS, WSIGNED, BIPOLAR, TERMS, REACH> {
  typedef ap_int<XBITS + WBITS + lutra_bits(SIMD) + 2> sum;

  template <int PE>
  static void all(const ap_uint<SIMD * XBITS> &x, const ap_uint<SIMD * WBITS> (&w)[PE], sum (&dots)[PE]) {
#pragma HLS INLINE
    ap_uint<SIMD> planes[XBITS];
#pragma HLS ARRAY_PARTITION variable=planes complete
    for (int b = 0; b < XBITS; ++b) {
#pragma HLS UNROLL
      planes[b] = lutra_plane<SIMD, XBITS>(x, b);
    }
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      int64_t total = 0;
      for (int a = 0; a < WBITS; ++a) {
#pragma HLS UNROLL
        const ap_uint<SIMD> stored = lutra_plane<SIMD, WBITS>(w[p], a);
        const ap_uint<SIMD> bits = BIPOLAR ? lutra_signs<SIMD>(stored) : stored;
        for (int b = 0; b < XBITS; ++b) {
#pragma HLS UNROLL
          const int64_t count = int64_t(lutra_meet<BIPOLAR, SIMD>(planes[b], bits)) << (a + b);
          const bool less = (XSIGNED && b == XBITS - 1) != (WSIGNED && a == WBITS - 1);
          total += less ? -count : count;
        }
      }
      dots[p] = total;
    }
  }
};

// Form 3: x times v + u * 2**K gives the products of two rows' weights v and u, K as wide as a product. Half of 2**K is
// added, so that a negative v * x does not borrow from u * x above it (WP486).
template <int SIMD, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int TERMS, int REACH>
struct lutra_dots<3, SIMD, XBITS, XSIGNED, WBITS, WSIGNED, BIPOLAR, TERMS, REACH> {
  typedef ap_int<XBITS + WBITS + lutra_bits(SIMD) + 2> sum;
  static const int K = XBITS + WBITS;
  static const int S = XSIGNED || WSIGNED ? 1 : 0;

  template <int PE>
  static void all(const ap_uint<SIMD * XBITS> &x, const ap_uint<SIMD * WBITS> (&w)[PE], sum (&dots)[PE]) {
#pragma HLS INLINE
    for (int p = 0; p < PE; p += 2) {
#pragma HLS UNROLL
      sum low = 0, high = 0;
      for (int q = 0; q < SIMD; ++q) {
#pragma HLS UNROLL
        const ap_int<XBITS + 1> a = lutra_value<XSIGNED>(lutra_get<XBITS>(x, q));
        const ap_int<WBITS + 1> v = lutra_value<WSIGNED>(lutra_get<WBITS>(w[p], q));
        const ap_int<WBITS + 1> u = lutra_value<WSIGNED>(lutra_get<WBITS>(w[p + 1 < PE ? p + 1 : p], q));
        const ap_int<K + WBITS + 1> both = (ap_int<K + WBITS + 1>(u) << K) + v;
        const ap_int<2 * K + 2> half = S ? ap_int<2 * K + 2>(1) << (K - 1) : ap_int<2 * K + 2>(0);
        const ap_int<2 * K + 2> total = lutra_product_in_dsp(both, a) + half;
        const ap_uint<K> below = total.range(K - 1, 0), above = total.range(2 * K - 1, K);
        low += sum(below) - (S ? sum(sum(1) << (K - 1)) : sum(0));
        high += lutra_value<S>(above);
      }
      dots[p] = low;
      if (p + 1 < PE) dots[p + 1] = high;
    }
  }
};

// Form 4: a weight is a sum of TERMS signed powers of two: of each term an exponent below REACH, above it whether it is
// subtracted, and whether it is there. What is subtracted is inverted; the bias makes up for the ones this leaves out.
template <int SIMD, int XBITS, int XSIGNED, int WBITS, int WSIGNED, int BIPOLAR, int TERMS, int REACH>
struct lutra_dots<4, SIMD, XBITS, XSIGNED, WBITS, WSIGNED, BIPOLAR, TERMS, REACH> {
  typedef ap_int<XBITS + REACH + lutra_bits(SIMD * TERMS) + 1> sum;
  static const int TERM = WBITS / TERMS;
  static const int PLACE = TERM - 2;

  template <int PE>
  static void all(const ap_uint<SIMD * XBITS> &x, const ap_uint<SIMD * WBITS> (&w)[PE], sum (&dots)[PE]) {
#pragma HLS INLINE
    for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      dots[p] = 0;
      for (int k = 0; k < SIMD * TERMS; ++k) {
#pragma HLS UNROLL
        const ap_uint<TERM> term = lutra_get<TERM>(w[p], k);
        const sum value = lutra_value<XSIGNED>(lutra_get<XBITS>(x, k / TERMS));
        const sum shifted = term[TERM - 1] ? sum(value << ap_uint<PLACE>(term)) : sum(0);
        dots[p] += term[TERM - 2] ? sum(~shifted) : shifted;
      }
    }
  }
};

#endif
