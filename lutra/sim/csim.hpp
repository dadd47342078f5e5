// What drives C simulations: a job file of words in, a result file of words out, a frame a call.
//
// Job, for each design: the number of frames (uint64), then of each input all its words. Result: of each output all its
// words. A word has whole bytes, little endian.
#ifndef LUTRA_CSIM_HPP
#define LUTRA_CSIM_HPP

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>

#include "lutra_hls.hpp"

namespace csim {

inline void fail(const char *what) {
  std::fprintf(stderr, "error: %s\n", what);
  std::_Exit(3);
}

struct Files {
  std::string job, result;
  std::size_t at = 0;

  uint64_t number() {
    uint64_t value = 0;
    for (int k = 0; k < 8; ++k) value |= uint64_t(byte()) << (8 * k);
    return value;
  }
  unsigned char byte() {
    if (at == job.size()) fail("the job file is short");
    return static_cast<unsigned char>(job[at++]);
  }
};

// The words of one input, sent frame by frame.
template <int BITS>
class Sender {
 public:
  Sender(Files &files, uint64_t words) : files_(files), at_(files.at) {
    files.at += words * (BITS / 8);
    if (files.at > files.job.size()) fail("the job file is short");
  }
  void send(hls::stream<ap_uint<BITS> > &stream, int words) {
    for (int k = 0; k < words; ++k) {
      ap_uint<BITS> word = 0;
      for (int b = 0; b < BITS / 8; ++b) lutra_set<8>(word, b, ap_uint<8>(static_cast<unsigned char>(files_.job[at_++])));
      stream.write(word);
    }
  }

 private:
  Files &files_;
  std::size_t at_;
};

// The words of one output, received frame by frame.
template <int BITS>
class Receiver {
 public:
  void receive(hls::stream<ap_axiu<BITS, 0, 0, 0> > &stream, int words) {
    for (int k = 0; k < words; ++k) {
      const ap_axiu<BITS, 0, 0, 0> word = stream.read();
      if (word.last != (k == words - 1)) fail("last stands at another word than a frame's last");
      for (int b = 0; b < BITS / 8; ++b) bytes_.push_back(static_cast<char>(int(lutra_get<8>(word.data, b))));
    }
  }
  const std::string &bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// What lies in off-chip memory, as a port reads it.
template <int BITS, int COUNT>
struct Beats {
  template <int L>
  explicit Beats(const lutra_limb (&image)[COUNT][L]) {
    for (int k = 0; k < COUNT; ++k) beats[k] = lutra_row<BITS>(image[k], 0);
  }
  ap_uint<BITS> beats[COUNT];
};

inline int run(int argc, char **argv, std::initializer_list<void (*)(Files &)> designs) {
  if (argc != 3) fail("usage: JOB RESULT");
  std::ifstream in(argv[1], std::ios::binary);
  Files files;
  files.job.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  for (void (*design)(Files &) : designs) design(files);
  if (files.at != files.job.size()) fail("the job file is long");
  std::ofstream out(argv[2], std::ios::binary);
  out.write(files.result.data(), static_cast<std::streamsize>(files.result.size()));
  out.close();
  return out ? 0 : 3;
}

}  // namespace csim

#endif
