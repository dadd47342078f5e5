// Counts in rounds: BEFORE steps, INSIDE steps with GAP others between each two of them, AFTER steps: see span.sv.
#ifndef LUTRA_SPAN_HPP
#define LUTRA_SPAN_HPP

template <int BEFORE, int INSIDE, int GAP, int AFTER>
class lutra_span {
 public:
  // Whether the place is one of INSIDE.
  bool interior() const { return place_ >= BEFORE && place_ < BEFORE + REACH && gap_ == 0; }

  // Goes on to the next place; whether a round ended.
  bool step() {
#pragma HLS INLINE
    const bool last = place_ == BEFORE + REACH + AFTER - 1;
    gap_ = place_ < BEFORE || last || gap_ == GAP ? 0 : gap_ + 1;
    place_ = last ? 0 : place_ + 1;
    return last;
  }

 private:
  static const int REACH = (INSIDE - 1) * (GAP + 1) + 1;  // from the first inside to the last
  int place_ = 0, gap_ = 0;
};

#endif
