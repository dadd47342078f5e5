// Random vectors through the unit, and beside it the product by plain loops over the same words.
#include <cstdio>
#include <cstdlib>

#include "kernel.hpp"

static const unsigned words[4] = {0x688a53u, 0x7055c1u, 0x3f8e2au, 0x14763du};

static int weight(int row, int column) {
  const unsigned code = words[row / 2 * 2 + column / 4] >> (12 * (row % 2) + 3 * (column % 4)) & 7;
  return code < 4 ? int(code) : int(code) - 8;
}

int main() {
  int x[VECTORS][8], wrong = 0;
  hls::stream<ap_uint<16> > in("in");
  hls::stream<ap_uint<22> > out("out");
  for (int v = 0; v < VECTORS; ++v) {
    for (int k = 0; k < 8; ++k) x[v][k] = std::rand() % 16;
    for (int sf = 0; sf < 2; ++sf) {
      ap_uint<16> word = 0;
      for (int q = 0; q < 4; ++q) lutra_set<4>(word, q, ap_uint<4>(x[v][sf * 4 + q]));
      in.write(word);
    }
  }
  dense(in, out);
  for (int v = 0; v < VECTORS; ++v)
    for (int nf = 0; nf < 2; ++nf) {
      const ap_uint<22> word = out.read();
      for (int p = 0; p < 2; ++p) {
        int expected = 0;
        for (int k = 0; k < 8; ++k) expected += weight(nf * 2 + p, k) * x[v][k];
        const int y = int(lutra_value<1>(lutra_get<11>(word, p)));
        std::printf("vector %d row %d: %d\n", v, nf * 2 + p, y);
        wrong += y != expected;
      }
    }
  std::printf("%d of %d differ\n", wrong, VECTORS * 4);
  return wrong != 0;
}
