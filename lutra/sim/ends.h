// The two kinds of end of a design: a source that offers words, and a sink that takes and checks them.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "staller.h"

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

// What a rule's breach is told with: which end it is.
struct End {
    std::string name;
    [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(name + ": " + what); }
    [[noreturn]] void depends() const { fail("an output depends on an input of the same cycle"); }
};

struct Source : End {
    Source(const InPort& port, Reader& job, const std::string& name) : End{name}, port(port), staller(0, 0) {
        words = job.value<uint64_t>();
        uint64_t seed = job.value<uint64_t>();
        staller = Staller(job.value<double>(), seed);
        if (job.value<uint64_t>()) {
            arrivals.resize(words);
            job.read(arrivals.data(), 8 * words);
        }
        input.resize(words * port.bytes);
        job.read(input.data(), input.size());
        taken.resize(words);
    }

    bool done() const { return sent == words; }

    void look() { was_ready = *port.ready; }

    void offer(int64_t cycle) {
        if (!offering && sent < words && (arrivals.empty() || arrivals[sent] <= cycle) && !staller.stalled()) {
            offering = true;  // once valid, valid and data stay until taken
            std::memcpy(port.data, &input[sent * port.bytes], port.bytes);
        }
        *port.valid = offering;
    }

    // At the edge: whether a word is taken.
    bool sample(int64_t cycle) {
        if (*port.ready != was_ready) depends();
        if (!offering || !*port.ready) return false;
        taken[sent++] = cycle;
        offering = false;
        return true;
    }

    InPort port;
    Staller staller;
    uint64_t words = 0, sent = 0;
    std::vector<int64_t> arrivals, taken;
    std::vector<uint8_t> input;
    bool offering = false, was_ready = false;
};

struct Sink : End {
    Sink(const OutPort& port, Reader& job, const std::string& name) : End{name}, port(port), staller(0, 0) {
        total = job.value<uint64_t>();
        uint64_t seed = job.value<uint64_t>();
        staller = Staller(job.value<double>(), seed);
        held.resize(port.bytes);
    }

    // All words, or where frames are ragged the last one of each.
    bool done() const { return (port.ragged ? ends.size() : left.size()) == total; }

    // Before the edge: what the registers show must not move while the inputs do.
    void look() {
        was_valid = *port.valid;
        std::memcpy(held.data(), port.data, port.bytes);
        if (owed && !was_valid) fail("valid fell before the word was taken");
        if (owed && held != due) fail("data changed before the word was taken");
        if (owed && *port.last != due_last) fail("last changed before the word was taken");
    }

    std::string count() const {
        std::string of = std::to_string(total) + (port.ragged ? " frames" : " words");
        return std::to_string(port.ragged ? ends.size() : left.size()) + " of " + of;
    }

    void offer() { *port.ready = !staller.stalled(); }

    // At the edge: whether a word comes.
    bool sample(int64_t cycle) {
        if (*port.valid != was_valid || std::memcmp(held.data(), port.data, port.bytes)) depends();
        owed = *port.valid && !*port.ready;
        if (owed) {
            due = held;
            due_last = *port.last;
        }
        if (!*port.valid || !*port.ready) return false;
        if (done()) fail("a word came after the last one");
        uint64_t place = left.size() - (ends.empty() ? 0 : ends.back());  // in its frame
        bool wrong = port.ragged ? !*port.last && place + 1 >= port.words : *port.last != (place + 1 == port.words);
        if (wrong) fail("last is wrong at output word " + std::to_string(left.size()));
        const uint8_t* word = static_cast<const uint8_t*>(port.data);
        output.insert(output.end(), word, word + port.bytes);
        left.push_back(cycle);
        if (*port.last) ends.push_back(left.size());
        return true;
    }

    OutPort port;
    Staller staller;
    uint64_t total = 0;  // words, or frames that are ragged
    std::vector<int64_t> left;
    std::vector<uint64_t> ends;  // words at each frame's end
    std::vector<uint8_t> output, held, due;
    bool owed = false, was_valid = false, due_last = false;
};
