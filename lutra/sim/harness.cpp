// Drives one verilated model: words in, words out, random stalls, protocol checks, a stamp for every word.
//
// job:    u64 patience; for each design: u64 in_words, out_words, seed; double stall_in, stall_out;
//         u64 has_arrivals; [i64 arrivals[in_words]]; the input words' bytes
// result: for each design: i64 taken[in_words], i64 left[out_words], the output words' bytes
// Cycle 0 ends with the first rising edge after reset. Prints one line and returns 1 where a rule is broken.
#include "harness.h"

#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace {

constexpr int RESET = 8;    // cycles of reset before cycle 0
constexpr int AFTER = 256;  // cycles after the last word in which no further word may come

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

struct Reader {
    explicit Reader(const char* path) : file(std::fopen(path, "rb")) {
        if (!file) throw std::runtime_error(std::string("cannot open ") + path);
    }
    ~Reader() { std::fclose(file); }
    void read(void* to, size_t bytes) {
        if (bytes && std::fread(to, 1, bytes, file) != bytes) throw std::runtime_error("the job file is too short");
    }
    template <class T> T value() {
        T v;
        read(&v, sizeof v);
        return v;
    }
    std::FILE* file;
};

struct Design {
    Design(const Ends& ends, Reader& job, int index) : ends(ends), index(index) {
        in_words = job.value<uint64_t>();
        out_words = job.value<uint64_t>();
        uint64_t seed = job.value<uint64_t>();
        double in = job.value<double>(), out = job.value<double>();
        source = Staller(in, 2 * seed);
        sink = Staller(out, 2 * seed + 1);
        if (job.value<uint64_t>()) {
            arrivals.resize(in_words);
            job.read(arrivals.data(), 8 * in_words);
        }
        input.resize(in_words * ends.in_bytes);
        job.read(input.data(), input.size());
        output.resize(out_words * ends.out_bytes);
        held.resize(ends.out_bytes);
        taken.resize(in_words);
        left.resize(out_words);
    }

    bool done() const { return sent == in_words && got == out_words; }

    // Before the edge: what the registers show must not move while the inputs do.
    void look() {
        was_ready = *ends.in_ready;
        was_valid = *ends.out_valid;
        std::memcpy(held.data(), ends.out_data, ends.out_bytes);
        if (owed && !was_valid) fail("valid fell before the word was taken");
        if (owed && held != due) fail("data changed before the word was taken");
        if (owed && *ends.out_last != due_last) fail("last changed before the word was taken");
    }

    void offer(int64_t cycle) {
        if (!offering && sent < in_words && (arrivals.empty() || arrivals[sent] <= cycle) && !source.stalled()) {
            offering = true;  // once valid, valid and data stay until taken
            std::memcpy(ends.in_data, &input[sent * ends.in_bytes], ends.in_bytes);
        }
        *ends.in_valid = offering;
        *ends.out_ready = !sink.stalled();
    }

    // At the edge: what is taken. Says whether anything moved.
    bool sample(int64_t cycle) {
        bool same = *ends.in_ready == was_ready && *ends.out_valid == was_valid;
        if (!same || std::memcmp(held.data(), ends.out_data, ends.out_bytes))
            fail("an output depends on an input of the same cycle");
        bool moved = false;
        if (offering && *ends.in_ready) {
            taken[sent++] = cycle;
            offering = false;
            moved = true;
        }
        owed = *ends.out_valid && !*ends.out_ready;
        if (owed) {
            due = held;
            due_last = *ends.out_last;
        }
        if (*ends.out_valid && *ends.out_ready) {
            receive(cycle);
            moved = true;
        }
        return moved;
    }

    void receive(int64_t cycle) {
        if (got == out_words) fail("a word came after the last one");
        if (*ends.out_last != ((got + 1) % ends.words == 0)) fail("last is wrong at output word " + std::to_string(got));
        std::memcpy(&output[got * ends.out_bytes], ends.out_data, ends.out_bytes);
        left[got++] = cycle;
    }

    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error("design " + std::to_string(index) + ": " + what);
    }

    Ends ends;
    int index;
    uint64_t in_words = 0, out_words = 0, sent = 0, got = 0;
    Staller source{0, 0}, sink{0, 0};
    std::vector<int64_t> arrivals, taken, left;
    std::vector<uint8_t> input, output, held, due;
    bool offering = false, owed = false, was_ready = false, was_valid = false, due_last = false;
};

bool bit(const uint8_t* vector, int i) { return vector[i / 8] >> (i % 8) & 1; }

std::string deadlock(const Model& model, const std::vector<Design>& designs, uint64_t patience) {
    std::string text = "deadlock: nothing moved for " + std::to_string(patience) + " cycles";
    for (const Design& d : designs) {
        if (d.done()) continue;
        text += "; design " + std::to_string(d.index) + " took " + std::to_string(d.sent) + " of "
                + std::to_string(d.in_words) + " words and gave " + std::to_string(d.got) + " of "
                + std::to_string(d.out_words) + ", its streams:";
        for (const Probe& p : model.probes)
            if (p.design == d.index)
                text += " " + p.name + (bit(model.probe_valid, p.bit) ? " valid" : " empty")
                        + (bit(model.probe_ready, p.bit) ? " ready," : " blocked,");
    }
    return text;
}

struct Clock {
    explicit Clock(Model& model) : model(model) {}
    void half(uint8_t level) {
        *model.clk = level;
        model.eval();
        if (model.dump) model.dump(time++);
    }
    Model& model;
    uint64_t time = 0;
};

void reset(Model& model, Clock& clock) {
    for (Ends& e : model.ends) *e.in_valid = 0, *e.out_ready = 0;
    *model.rst = 1;
    for (int i = 0; i < RESET; ++i) {
        clock.half(0);
        clock.half(1);
    }
    *model.rst = 0;
}

void simulate(Model& model, std::vector<Design>& designs, uint64_t patience) {
    Clock clock(model);
    reset(model, clock);
    uint64_t idle = 0;
    int after = 0;
    for (int64_t cycle = 0; after < AFTER; ++cycle) {
        for (Design& d : designs) d.look(), d.offer(cycle);
        clock.half(0);
        bool moved = false, done = true;
        for (Design& d : designs) {
            moved |= d.sample(cycle);
            done &= d.done();
        }
        clock.half(1);
        after = done ? after + 1 : 0;
        idle = moved ? 0 : idle + 1;
        if (idle > patience && !done) throw std::runtime_error(deadlock(model, designs, patience));
    }
}

void write(const char* path, const std::vector<Design>& designs) {
    std::FILE* file = std::fopen(path, "wb");
    if (!file) throw std::runtime_error(std::string("cannot open ") + path);
    bool whole = true;
    auto put = [&](const void* from, size_t bytes) { whole &= !bytes || std::fwrite(from, 1, bytes, file) == bytes; };
    for (const Design& d : designs) {
        put(d.taken.data(), 8 * d.taken.size());
        put(d.left.data(), 8 * d.left.size());
        put(d.output.data(), d.output.size());
    }
    whole &= std::fclose(file) == 0;
    if (!whole) throw std::runtime_error("cannot write the result: no space left");
}

}  // namespace

int drive(Model& model, const char* job, const char* result) {
    try {
        Reader reader(job);
        uint64_t patience = reader.value<uint64_t>();
        std::vector<Design> designs;
        for (size_t i = 0; i < model.ends.size(); ++i) designs.emplace_back(model.ends[i], reader, static_cast<int>(i));
        simulate(model, designs, patience);
        write(result, designs);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "error: %s\n", e.what());
        return 1;
    }
    return 0;
}
