// What the library's HLS units share: words of codes, and all that differs between vendors' headers.
//
// A word of a stream is ap_uint<lanes * bits>, its first code in the low bits, as on the streams of the RTL. Memories are
// arrays of 64-bit limbs, the low one first: initialisers that every compiler takes at once.
//
// LUTRA_CSIM is defined by Lutra's own C simulation, whose headers let a word's limbs be seen; all else is plain.
#ifndef LUTRA_HLS_HPP
#define LUTRA_HLS_HPP

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096
#endif

#include <stdint.h>

#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

typedef uint64_t lutra_limb;

static const lutra_limb lutra_none[1][1] = {{0}};  // in place of a memory that a unit has not

// Limbs that hold so many bits.
constexpr int lutra_limbs(int bits) { return (bits + 63) / 64; }

// Bits of a number up to n, at least one.
constexpr int lutra_bits(int n) {
  int bits = 1;
  while (n >> bits) ++bits;
  return bits;
}

constexpr int lutra_most(int a, int b) { return a > b ? a : b; }

// 64 bits of a memory's word, from bit `low` on.
template <int L>
inline lutra_limb lutra_piece(const lutra_limb (&limbs)[L], int low) {
#pragma HLS INLINE
  const int limb = low / 64, shift = low % 64;
  const lutra_limb over = shift && limb + 1 < L ? limbs[limb + 1 < L ? limb + 1 : limb] << (64 - shift) % 64 : 0;
  return limbs[limb] >> shift | over;
}

#ifdef LUTRA_CSIM

// A number of a circuit, of W bits, of which there may be thousands: 64 bits compile in a tenth of the time.
template <int W>
using lutra_cell = int64_t;

// A number 2**SHIFT times as large, of which W bits are needed.
template <int W, int SHIFT>
inline int64_t lutra_left(int64_t number) {
  static_assert(W < 64, "a cell is narrower than a limb");
  return number * (int64_t(1) << SHIFT);
}

// So many bits (up to 64) of a word from `low` on.
template <int W>
inline lutra_limb lutra_field(const ap_uint<W> &word, int low, int bits) {
  const int limb = low / 64, shift = low % 64;
  lutra_limb value = lutra_limb(word.V.get_pVal(limb)) >> shift;
  if (shift && limb + 1 < lutra_limbs(W)) value |= lutra_limb(word.V.get_pVal(limb + 1)) << (64 - shift);
  return bits < 64 ? value & ((lutra_limb(1) << bits) - 1) : value;
}

// Code `lane` of a word, B bits.
template <int B, int W>
inline ap_uint<B> lutra_get(const ap_uint<W> &word, int lane) {
  ap_uint<B> code;
  for (int k = 0; k < lutra_limbs(B); ++k)
    code.V.set_pVal(k, lutra_field(word, lane * B + 64 * k, B - 64 * k < 64 ? B - 64 * k : 64));
  return code;
}

// Makes `code` code `lane` of a word.
template <int B, int W>
inline void lutra_set(ap_uint<W> &word, int lane, const ap_uint<B> &code) {
  for (int done = 0; done < B;) {
    const int low = lane * B + done, limb = low / 64, shift = low % 64;
    const int bits = B - done < 64 - shift ? B - done : 64 - shift;
    const lutra_limb mask = (bits < 64 ? (lutra_limb(1) << bits) - 1 : ~lutra_limb(0)) << shift;
    const lutra_limb value = lutra_field(code, done, bits) << shift;
    word.V.set_pVal(limb, (lutra_limb(word.V.get_pVal(limb)) & ~mask) | value);
    done += bits;
  }
}

// Row `row`, of B bits, of a memory's word, which may be wider than any number.
template <int B, int L>
inline ap_uint<B> lutra_row(const lutra_limb (&limbs)[L], int row) {
  ap_uint<B> bits;
  for (int k = 0; k < lutra_limbs(B); ++k) {
    const lutra_limb mask = ~lutra_limb(0) >> (B - 64 * k < 64 ? 64 - (B - 64 * k) : 0);
    bits.V.set_pVal(k, lutra_piece(limbs, row * B + 64 * k) & mask);
  }
  return bits;
}

// How many bits of a word are set.
template <int N>
inline ap_uint<lutra_bits(N)> lutra_ones(const ap_uint<N> &word) {
  int count = 0;
  for (int k = 0; k < lutra_limbs(N); ++k) count += __builtin_popcountll(word.V.get_pVal(k));
  return count;
}

// In how many lanes two words of bits are equal where EQUAL, else both set.
template <int EQUAL, int N>
inline int lutra_meet(const ap_uint<N> &x, const ap_uint<N> &w) {
  int count = 0;
  for (int k = 0; k < lutra_limbs(N); ++k) {
    const lutra_limb a = x.V.get_pVal(k), b = w.V.get_pVal(k);
    const lutra_limb mask = ~lutra_limb(0) >> (N - 64 * k < 64 ? 64 - (N - 64 * k) : 0);
    count += __builtin_popcountll(EQUAL ? ~(a ^ b) & mask : a & b);
  }
  return count;
}

// Bipolar weights of a row of N as they lie in memory: of each G = N / 3 lanes i, G + i, 2G + i the last one holds the
// parity of the three.
template <int N>
inline ap_uint<N> lutra_signs(const ap_uint<N> &stored) {
  const int third = N / 3;
  if (N <= 64) {
    const lutra_limb all = stored.V.get_pVal(0), low = (lutra_limb(1) << (N <= 64 ? third : 0)) - 1;
    return ap_uint<N>(all ^ ((all ^ (all >> (N <= 64 ? third : 0))) & low) << (N <= 64 ? 2 * third : 0));
  }
  const ap_uint<N> low = (ap_uint<N>(1) << third) - 1;
  return stored ^ ap_uint<N>(((stored ^ (stored >> third)) & low) << (2 * third));
}

// Bit b of each of N codes.
template <int N, int B>
inline ap_uint<N> lutra_plane(const ap_uint<N * B> &word, int b) {
  if (B == 1) return ap_uint<N>(word);
  ap_uint<N> plane;
  for (int k = 0; k < lutra_limbs(N); ++k) {
    const int count = N - 64 * k < 64 ? N - 64 * k : 64;
    lutra_limb bits = 0;
    for (int i = 0; i < count; ++i) {
      const int at = (64 * k + i) * B + b;
      bits |= (lutra_limb(word.V.get_pVal(at / 64)) >> (at % 64) & 1) << i;
    }
    plane.V.set_pVal(k, bits);
  }
  return plane;
}

#else

template <int W>
using lutra_cell = ap_int<W>;

template <int W, int SHIFT>
inline ap_int<W> lutra_left(const ap_int<W> &number) {
#pragma HLS INLINE
  return ap_int<W>(number << SHIFT);
}

template <int B, int W>
inline ap_uint<B> lutra_get(const ap_uint<W> &word, int lane) {
#pragma HLS INLINE
  return ap_uint<B>(word.range(lane * B + B - 1, lane * B));
}

template <int B, int W>
inline void lutra_set(ap_uint<W> &word, int lane, const ap_uint<B> &code) {
#pragma HLS INLINE
  word.range(lane * B + B - 1, lane * B) = code;
}

template <int B, int L>
inline ap_uint<B> lutra_row(const lutra_limb (&limbs)[L], int row) {
#pragma HLS INLINE
  ap_uint<B> bits = 0;
  for (int k = 0; k < lutra_limbs(B); ++k) {
#pragma HLS UNROLL
    const int last = 64 * k + 63 < B ? 64 * k + 63 : B - 1;
    bits.range(last, 64 * k) = lutra_piece(limbs, row * B + 64 * k);
  }
  return bits;
}

template <int N>
inline ap_uint<lutra_bits(N)> lutra_ones(const ap_uint<N> &word) {
#pragma HLS INLINE
  ap_uint<lutra_bits(N)> count = 0;
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    count += ap_uint<1>(word[i]);
  }
  return count;
}

template <int EQUAL, int N>
inline int lutra_meet(const ap_uint<N> &x, const ap_uint<N> &w) {
#pragma HLS INLINE
  const ap_uint<N> meet = EQUAL ? ap_uint<N>(~(x ^ w)) : ap_uint<N>(x & w);
  return int(lutra_ones<N>(meet));
}

template <int N>
inline ap_uint<N> lutra_signs(const ap_uint<N> &stored) {
#pragma HLS INLINE
  const int third = N / 3;
  const ap_uint<N> low = (ap_uint<N>(1) << third) - 1;
  return stored ^ ap_uint<N>(((stored ^ (stored >> third)) & low) << (2 * third));
}

template <int N, int B>
inline ap_uint<N> lutra_plane(const ap_uint<N * B> &word, int b) {
#pragma HLS INLINE
  ap_uint<N> plane = 0;
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    plane[i] = word[i * B + b];
  }
  return plane;
}

#endif

// Code `lane`, of B bits, of a memory's word: one lane alone, at an address of its own.
template <int B, int L>
inline ap_uint<B> lutra_at(const lutra_limb (&limbs)[L], int lane) {
#pragma HLS INLINE
  static_assert(B <= 64, "a code is at most a limb");
  return ap_uint<B>(lutra_piece(limbs, lane * B));
}

// clip(floor(t / 2**SHIFT), LO, HI), SHIFT of either sign; where EVEN, the quotient's lowest bit is 0 if t is a multiple of
// 2**SHIFT.
template <int SHIFT, int EVEN, int LO, int HI, int B>
inline ap_int<B + (SHIFT < 0 ? -SHIFT : 0)> lutra_clip(const ap_int<B> &t) {
#pragma HLS INLINE
  const int RIGHT = SHIFT > 0 ? SHIFT : 0, LEFT = SHIFT < 0 ? -SHIFT : 0;
  typedef ap_int<B + LEFT> number;
  number quotient = RIGHT >= B ? number(t < 0 ? -1 : 0) : number(number(t >> (RIGHT < B ? RIGHT : 0)) << LEFT);
  const bool whole = RIGHT < B ? number(quotient << (RIGHT < B ? RIGHT : 0)) == t : t == 0;
  if (EVEN && RIGHT && whole && quotient[0]) quotient -= 1;
  if (quotient < LO) quotient = LO;
  if (quotient > HI) quotient = HI;
  return quotient;
}

// What a code is worth as an integer: two's complement where SIGNED.
template <int SIGNED, int B>
inline ap_int<B + 1> lutra_value(const ap_uint<B> &code) {
#pragma HLS INLINE
  if (SIGNED) return ap_int<B + 1>(ap_int<B>(code));
  return ap_int<B + 1>(code);
}

#endif
