// hls::stream for C simulation where the vendor's header is not there: a queue without a bound. What a vendor's compiler
// would only show as a deadlock ends the program, with the stream's name: a read of an empty stream, or words that
// nobody has taken when the stream's life ends.
#ifndef LUTRA_SIM_HLS_STREAM_H
#define LUTRA_SIM_HLS_STREAM_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace hls {

template <typename T, int DEPTH = 0>
class stream {
 public:
  stream() : name_("a stream") {}
  explicit stream(const char *name) : name_(name) {}
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;
  ~stream() {
    if (!empty()) fail("is left with words that nobody took");
  }

  bool empty() const { return head_ == words_.size(); }
  bool full() const { return false; }
  std::size_t size() const { return words_.size() - head_; }

  T read() {
    if (empty()) fail("is read where it is empty");
    const T word = words_[head_++];
    if (empty()) {
      words_.clear();
      head_ = 0;
    }
    return word;
  }
  void read(T &word) { word = read(); }
  bool read_nb(T &word) {
    if (empty()) return false;
    word = read();
    return true;
  }
  void write(const T &word) { words_.push_back(word); }
  bool write_nb(const T &word) {
    write(word);
    return true;
  }

 private:
  void fail(const char *what) const {
    std::fprintf(stderr, "error: stream %s %s (%lu of them)\n", name_, what, static_cast<unsigned long>(size()));
    std::_Exit(3);
  }

  const char *name_;
  std::vector<T> words_;
  std::size_t head_ = 0;
};

}  // namespace hls

#endif
