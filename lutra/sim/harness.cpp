// Drives one verilated model: words in, words out, random stalls, protocol checks, a stamp for every word.
//
// job:    u64 patience, record; for each design: for each input: u64 words, seed; double stall; u64 has_arrivals;
//         [i64 arrivals[words]]; the words' bytes; for each output: u64 words, seed; double stall (where its frames are
//         ragged, u64 frames in place of words); where it reads
//         memory: u64 latency, outstanding; double bytes a cycle, stall; u64 seed; for each port: u64 address, bytes;
//         its image; where it has an AXI4-Lite port: u64 writes, seed; double stall; u32 address, value for each write
// result: for each design: for each input: i64 taken[words]; for each output: where its frames are ragged, u64 words that
//         there were at the end of each; i64 left[words], the words' bytes; for
//         each memory port: u64 beats read until the last word left;
//         then, where `record` asks for it, for each store: u64 the most words that it held or was taking in
// Cycle 0 ends with the first rising edge after reset. Prints one line and returns 1 where a rule is broken.
#include "harness.h"

#include <algorithm>

#include "ends.h"
#include "memory.h"
#include "writer.h"

namespace {

constexpr int RESET = 8;    // cycles of reset before cycle 0
constexpr int AFTER = 256;  // cycles after the last word in which no further word may come

struct Design {
    Design(const Ends& ends, Reader& job, size_t index) : index(index) {
        auto name = [&](const char* side, size_t i) {
            return "design " + std::to_string(index) + ", " + side + " " + std::to_string(i);
        };
        for (const InPort& p : ends.inputs) sources.emplace_back(p, job, name("input", sources.size()));
        for (const OutPort& p : ends.outputs) sinks.emplace_back(p, job, name("output", sinks.size()));
        memory = Memory(ends.memory, job, "design " + std::to_string(index));
        writers.emplace_back(ends.axi, job, name("AXI4-Lite port", 0));
    }

    bool done() const {
        return std::all_of(sources.begin(), sources.end(), [](const Source& s) { return s.done(); })
               && std::all_of(sinks.begin(), sinks.end(), [](const Sink& s) { return s.done(); });
    }

    // Before the edge: what the registers show is kept, and the inputs change.
    void offer(int64_t cycle) {
        for (Source& s : sources) s.look(), s.offer(cycle);
        for (Sink& s : sinks) s.look(), s.offer();
        memory.offer(cycle);
    }

    // At the edge: whether anything moves.
    bool sample(int64_t cycle) {
        bool moved = false;
        memory.sample(cycle, !done());
        for (Source& s : sources) moved |= s.sample(cycle);
        for (Sink& s : sinks) moved |= s.sample(cycle);
        return moved;
    }

    size_t index;
    std::vector<Source> sources;
    std::vector<Sink> sinks;
    Memory memory;
    std::vector<Writer> writers;
};

bool bit(const uint8_t* vector, int i) { return vector[i / 8] >> (i % 8) & 1; }

// Counts what lies in each FIFO. A word that comes while another leaves needs a place of its own, as ready does not
// look at the other side: the most words held before an edge or taken in at it are the least depth that would do.
struct Record {
    Record(const Model& model, bool wanted) : model(model), count(wanted ? model.stores.size() : 0), most(count) {}

    void sample() {
        for (size_t i = 0; i < count.size(); ++i) {
            count[i] += moves(model.stores[i].in);
            most[i] = std::max(most[i], count[i]);
            count[i] -= moves(model.stores[i].out);
        }
    }

    bool moves(int i) const { return bit(model.probe_valid, i) && bit(model.probe_ready, i); }

    const Model& model;
    std::vector<uint64_t> count, most;
};

std::string deadlock(const Model& model, const std::vector<Design>& designs, uint64_t patience) {
    std::string text = "deadlock: nothing moved for " + std::to_string(patience) + " cycles";
    auto share = [](uint64_t some, uint64_t all) {
        return std::to_string(some) + " of " + std::to_string(all) + " words";
    };
    for (const Design& d : designs) {
        if (d.done()) continue;
        for (const Source& s : d.sources) text += "; " + s.name + " took " + share(s.sent, s.words);
        for (const Sink& s : d.sinks) text += "; " + s.name + " gave " + s.count();
        text += "; its streams:";
        for (const Probe& p : model.probes)
            if (p.design == static_cast<int>(d.index))
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
    for (Ends& e : model.designs) {
        for (InPort& p : e.inputs) *p.valid = 0;
        for (OutPort& p : e.outputs) *p.ready = 0;
        for (ReadPort& p : e.memory) *p.accepts = *p.valid = 0;
    }
    *model.rst = 1;
    for (int i = 0; i < RESET; ++i) {
        clock.half(0);
        clock.half(1);
    }
    *model.rst = 0;
}

// Every design's memories are written; cycle 0 comes after that.
void prepare(Clock& clock, std::vector<Design>& designs, uint64_t patience) {
    auto written = [](const Design& d) {
        return std::all_of(d.writers.begin(), d.writers.end(), [](const Writer& w) { return w.done(); });
    };
    uint64_t writes = 1;
    for (const Design& d : designs)
        for (const Writer& w : d.writers) writes += w.writes.size();
    for (uint64_t cycle = 0; !std::all_of(designs.begin(), designs.end(), written); ++cycle) {
        if (cycle > patience + 64 * writes) throw std::runtime_error("deadlock: an AXI4-Lite port does not answer");
        for (Design& d : designs)
            for (Writer& w : d.writers) w.offer();
        clock.half(0);
        for (Design& d : designs)
            for (Writer& w : d.writers) w.sample();
        clock.half(1);
        for (Design& d : designs)
            for (Writer& w : d.writers) w.settle();
    }
}

void simulate(Model& model, std::vector<Design>& designs, Record& record, uint64_t patience) {
    Clock clock(model);
    reset(model, clock);
    prepare(clock, designs, patience);
    uint64_t idle = 0;
    int after = 0;
    for (int64_t cycle = 0; after < AFTER; ++cycle) {
        for (Design& d : designs) d.offer(cycle);
        clock.half(0);
        bool moved = false, done = true;
        for (Design& d : designs) {
            moved |= d.sample(cycle);
            done &= d.done();
        }
        record.sample();
        clock.half(1);
        after = done ? after + 1 : 0;
        idle = moved ? 0 : idle + 1;
        if (idle > patience && !done) throw std::runtime_error(deadlock(model, designs, patience));
    }
}

void write(const char* path, const std::vector<Design>& designs, const Record& record) {
    std::FILE* file = std::fopen(path, "wb");
    if (!file) throw std::runtime_error(std::string("cannot open ") + path);
    bool whole = true;
    auto put = [&](const auto& v) {
        whole &= v.empty() || std::fwrite(v.data(), sizeof v[0], v.size(), file) == v.size();
    };
    for (const Design& d : designs) {
        for (const Source& s : d.sources) put(s.taken);
        for (const Sink& s : d.sinks) {
            if (s.port.ragged) put(s.ends);
            put(s.left), put(s.output);
        }
        for (const Bank& b : d.memory.banks) put(std::vector<uint64_t>{b.given});
    }
    put(record.most);
    whole &= std::fclose(file) == 0;
    if (!whole) throw std::runtime_error("cannot write the result: no space left");
}

}  // namespace

int drive(Model& model, const char* job, const char* result) {
    try {
        Reader reader(job);
        uint64_t patience = reader.value<uint64_t>();
        Record record(model, reader.value<uint64_t>());
        std::vector<Design> designs;
        for (size_t i = 0; i < model.designs.size(); ++i) designs.emplace_back(model.designs[i], reader, i);
        simulate(model, designs, record, patience);
        write(result, designs, record);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "error: %s\n", e.what());
        return 1;
    }
    return 0;
}
