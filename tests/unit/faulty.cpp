// Faults that the checks must find, and code like it that is right. A line with faults ends in a mark and their rules;
// nothing else may be found. The top function is `top`.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <hls_stream.h>

static const int table[4] = {1, 2, 3, 4};
static int state = 3;

constexpr int bits_of(int n) {
  int bits = 1;
  while (n >> bits) ++bits;
  return bits;
}
int runtime(int n) { return n + 1; }

// -- recursion

int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }  // FAULT recursion
int pong(int n);
int ping(int n) { return n ? pong(n - 1) : 0; }  // FAULT recursion
int pong(int n) { return n ? ping(n - 1) : 1; }  // FAULT recursion
template <int N>
int halves(int x) {
  return halves<N / 2>(x) + 1;
}
template <>
int halves<0>(int x) {
  return x;
}
template <int N>
int forever(int x) {  // FAULT recursion
  return x ? forever<N>(x - 1) : 0;
}
struct Tree {
  int depth(int n) { return n ? depth(n / 2) : 0; }  // FAULT recursion
};

// -- memory

void takes() {
  int *a = new int[4];  // FAULT memory
  delete[] a;           // FAULT memory
  void *b = malloc(4);  // FAULT memory
  free(b);              // FAULT memory
  std::vector<int> c;   // FAULT memory
  std::string d;        // FAULT memory
  (void)c;
}

// -- loops

template <int N>
int loops(int n, int (&values)[N]) {
  const int twice = 2 * N;
  int sum = 0, m = n;
  for (int i = 0; i < N; ++i) sum += values[i];
  for (int i = twice - 1; i >= 0; i -= 2) sum += i;
  for (int i = 0; i < bits_of(N) + int(sizeof(sum)); ++i) sum += i;
  for (int i = 0; i < table[1]; ++i) sum += i;  // FAULT loops
  for (int i = 0; i < n; ++i) sum += i;          // FAULT loops
  for (int i = 0; i < m; ++i) sum += i;          // FAULT loops
  for (int i = 0; i < state; ++i) sum += i;      // FAULT loops
  for (int i = 0; i < runtime(4); ++i) sum += i; // FAULT loops
  for (int i = n; i < N; ++i) sum += i;          // FAULT loops
  for (int i = 0;; ++i) {                        // FAULT loops
    if (i == n) break;
  }
  while (m) m >>= 1;  // FAULT loops
  do {                // FAULT loops
    ++m;
  } while (m < n);
  return sum;
}

// -- system calls, exceptions, virtual functions, pointers, arrays

double calls(double x) {
  std::printf("%f\n", x);  // FAULT system
  if (getenv("HOME")) return std::sqrt(x);  // FAULT system
  return std::fabs(x);
}
int throws(int n) {
  try {                   // FAULT exceptions
    if (n < 0) throw n;   // FAULT exceptions
  } catch (int) {
  }
  return n;
}
struct Base {
  virtual int value() { return 1; }  // FAULT virtual
  int plain() { return 2; }
};
int pointers(int (*chosen)(int), int **far, const int *near) {  // FAULT pointers pointers
  int (Base::*member)() = &Base::plain;                           // FAULT pointers
  std::function<int(int)> wrapped;                                // FAULT memory
  (void)member;
  return chosen(**far + *near);
}
int arrays(int n, int open[]) {  // FAULT arrays
  int known[] = {1, 2, 3};
  int some[n];  // FAULT arrays language
  some[0] = open[0];
  return some[0] + known[1];
}

// -- a later C++

int later(int n) {
  if (int m = n; m > 2) return m;  // FAULT language
  return 0;
}

// -- directives

#pragma HLS PIPELINE  // FAULT place

template <int N, int DEPTH>
void directives(hls::stream<int> &in, hls::stream<int> &out, int n, int (&given)[N]) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=given complete dim=1
#pragma HLS ARRAY_RESHAPE variable=given type=cyclic factor=N/2 dim=1
  hls::stream<int> between("between");
#pragma HLS STREAM variable=between depth=DEPTH
#pragma HLS BIND_STORAGE variable=between type=fifo impl=srl
  int kept[N], single = 0;
#pragma HLS DEPENDENCE variable=kept type=inter direction=RAW distance=2 dependent=true
#pragma HLS DEPENDENCE variable=kept inter false
  for (int i = 0; i < N; ++i) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS LOOP_TRIPCOUNT min=1 max=8
    const int value = in.read() + kept[i];
    for (int k = 0; k < 4; ++k) {
#pragma HLS UNROLL factor=2
      single += k;
    }
    kept[i] = value;
    out.write(value);
  }
#pragma HLS PIPELIEN  // FAULT pragma
#pragma HLS PIPELINE II=0  // FAULT pragma
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II=two words  // FAULT pragma variable
    single += i;
  }
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II=1 style=slow  // FAULT pragma
    single += i;
  }
  for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL times=2  // FAULT pragma
    single += i;
  }
  for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL factor=n  // FAULT variable
    single += i;
  }
#pragma HLS STREAM variable=single depth=2  // FAULT variable
#pragma HLS STREAM depth=2  // FAULT pragma
#pragma HLS STREAM variable=out depth=0  // FAULT pragma
#pragma HLS STREAM variable=between depth=4  // FAULT place
#pragma HLS ARRAY_PARTITION variable=nowhere complete  // FAULT variable
#pragma HLS ARRAY_PARTITION variable=later_on complete  // FAULT variable
#pragma HLS ARRAY_PARTITION variable=single complete  // FAULT variable
#pragma HLS ARRAY_PARTITION variable=kept cyclic  // FAULT pragma
#pragma HLS ARRAY_PARTITION variable=kept complete factor=2  // FAULT pragma
#pragma HLS ARRAY_PARTITION variable=kept sideways  // FAULT pragma
#pragma HLS BIND_STORAGE variable=kept type=ram_3p  // FAULT pragma
#pragma HLS BIND_STORAGE variable=single type=fifo  // FAULT variable
#pragma HLS BIND_STORAGE variable=kept type=ram_2p type=ram_2p  // FAULT pragma
  int later_on[2] = {0, 1};
  if (n) {
    int inner[2] = {0, 1};
#pragma HLS ARRAY_PARTITION variable=inner complete
    single += inner[0];
#pragma HLS PIPELINE  // FAULT place
    single += later_on[0];
  }
#pragma HLS UNROLL  // FAULT place
#pragma HLS INLINE off  // FAULT place place
#pragma HLS INTERFACE mode=axis port=in  // FAULT place place
#if 0
#pragma HLS NOTHING AT ALL
#endif
  // #pragma HLS NOTHING EITHER
  out.write(single);
}

// -- streams between calls that run at once

void task(hls::stream<int> &in, hls::stream<int> &out) { out.write(in.read()); }
void copied(hls::stream<int> in) { in.read(); }  // FAULT streams
void at_once(hls::stream<int> &in, hls::stream<int> &out) {
#pragma HLS DATAFLOW
  hls::stream<int> one("one"), two("two");
  task(in, one);
  task(one, two);
  task(two, out);
}
void tangled(hls::stream<int> &in, hls::stream<int> &twice,  // FAULT dataflow
             hls::stream<int> &out, int n) {
#pragma HLS DATAFLOW
  hls::stream<int> one("one");   // FAULT dataflow
  hls::stream<int> none("none"); // FAULT dataflow
  task(in, one);
  task(one, twice);
  task(one, out);
  if (n) task(twice, none);  // FAULT dataflow
}

void top(hls::stream<int> &in, hls::stream<int> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
#pragma HLS INTERFACE mode=axis port=in  // FAULT place
#pragma HLS INTERFACE mode=wishbone port=out  // FAULT pragma place
#pragma HLS INTERFACE mode=axis port=other  // FAULT variable
#pragma HLS PIPELINE
#pragma HLS DATAFLOW  // FAULT place
  int given[8];
  directives<8, 2>(in, out, 0, given);
  halves<8>(loops<8>(1, given));
#pragma HLS INTERFACE mode=s_axilite port=return  // FAULT place place
}
