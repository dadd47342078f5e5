// Random stalls of one end, the same for the same seed.
#pragma once
#include <cstdint>

class Random {  // xorshift64*, seeded through splitmix64 so that neighbouring seeds differ
public:
    explicit Random(uint64_t seed) {
        uint64_t z = seed + 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        state = (z ^ (z >> 31)) | 1;
    }
    double next() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return static_cast<double>((state * 0x2545f4914f6cdd1dULL) >> 11) * 0x1.0p-53;
    }

private:
    uint64_t state;
};

// Stalls a share `p` of the cycles: single ones, and bursts of up to 16 with runs between them as long in proportion.
class Staller {
public:
    Staller(double p, uint64_t seed) : p(p), random(seed) {}
    bool stalled() {
        if (p <= 0) return false;
        while (left <= 0) turn();
        --left;
        return stalling;
    }

private:
    void turn() {
        stalling = !stalling;
        if (stalling) {
            scale = 1 << static_cast<int>(random.next() * 5);
            left = scale;
        } else {  // mean run = mean stall * (1 - p) / p; the fraction is rounded at random, so that the mean holds
            double run = scale * (1 - p) / p * 2 * random.next();
            left = static_cast<long>(run + random.next());
        }
    }
    double p;
    Random random;
    bool stalling = false;
    int scale = 1;
    long left = 1;
};
