// Off-chip memory: an AXI4 read slave at each of a design's ports, all of which share one bandwidth.
#pragma once
#include <algorithm>
#include <cstring>
#include <deque>

#include "ends.h"

// One port: bursts in the order in which they were asked for, each due `latency` cycles after its address was taken.
struct Bank : End {
    Bank(const ReadPort& port, Reader& job, const std::string& name) : End{name}, port(port), asks(0, 0), gives(0, 0) {
        base = job.value<uint64_t>();
        image.resize(job.value<uint64_t>());
        job.read(image.data(), image.size());
        *port.base = base;
    }

    void pace(uint64_t latency, uint64_t outstanding, double stall, uint64_t seed) {
        this->latency = latency;
        this->outstanding = outstanding;
        asks = Staller(stall, seed);
        gives = Staller(stall, seed + 1);
    }

    // Before the edge: what the master's registers show is kept, and what it hears changes.
    void look() {
        was = Asked{*port.address, *port.length, *port.asked, *port.ready};
        if (owed && (!was.valid || was.address != due.address || was.length != due.length))
            fail("an address changed before it was taken");
    }

    void accept() { *port.accepts = bursts.size() < outstanding && !asks.stalled(); }

    bool wants(int64_t cycle) const { return !offering && !bursts.empty() && bursts.front().due <= cycle; }
    bool stalled() { return gives.stalled(); }

    void offer() {
        std::memcpy(port.data, &image[bursts.front().at], port.bytes);
        *port.last = bursts.front().beats == 1;
        offering = true;
    }

    // At the edge.
    void sample(int64_t cycle, bool counted) {
        if (*port.address != was.address || *port.length != was.length || *port.asked != was.valid
            || *port.ready != was.ready) depends();
        if (offering && was.ready) {
            offering = false;
            given += counted;
            Burst& b = bursts.front();
            b.at += port.bytes;
            if (--b.beats == 0) bursts.pop_front();
        }
        owed = was.valid && !*port.accepts;
        due = was;
        if (was.valid && *port.accepts) take(cycle);
    }

    void take(int64_t cycle) {
        uint64_t at = was.address - base, size = (was.length + 1ULL) * port.bytes;
        if (was.address < base || at + size > image.size()) fail("a burst leaves the region");
        if (was.address % port.bytes) fail("an address is not that of a whole beat");
        if (was.address / 4096 != (was.address + size - 1) / 4096) fail("a burst crosses 4 KiB");
        bursts.push_back({at, was.length + 1ULL, cycle + static_cast<int64_t>(latency)});
    }

    struct Asked {
        uint64_t address = 0;
        uint8_t length = 0, valid = 0, ready = 0;
    };
    struct Burst {
        uint64_t at, beats;
        int64_t due;
    };
    ReadPort port;
    Staller asks, gives;
    uint64_t base = 0, latency = 1, outstanding = 1, given = 0;
    std::vector<uint8_t> image;
    std::deque<Burst> bursts;
    Asked was, due;
    bool owed = false, offering = false;
};

// The ports of a design. Each cycle earns `rate` bytes, and whoever wants a beat and is next in turn spends them; what
// nobody spends is lost but for one cycle's and one beat's.
struct Memory {
    Memory() = default;
    Memory(const std::vector<ReadPort>& ports, Reader& job, const std::string& name) {
        if (ports.empty()) return;
        uint64_t latency = job.value<uint64_t>(), outstanding = job.value<uint64_t>();
        rate = job.value<double>();
        double stall = job.value<double>();
        uint64_t seed = job.value<uint64_t>();
        for (const ReadPort& p : ports) {
            banks.emplace_back(p, job, name + ", memory port " + std::to_string(banks.size()));
            banks.back().pace(latency, outstanding, stall, seed + 2 * banks.size());
            widest = std::max<double>(widest, p.bytes);
        }
    }

    void offer(int64_t cycle) {
        saved = std::min(saved + rate, rate + widest);
        for (Bank& b : banks) b.look(), b.accept();
        size_t first = turn;
        for (size_t i = 0; i < banks.size(); ++i) {
            size_t k = (first + i) % banks.size();
            Bank& b = banks[k];
            if (!b.stalled() && b.wants(cycle) && (rate <= 0 || saved >= b.port.bytes)) {
                b.offer();
                saved -= b.port.bytes;
                turn = (k + 1) % banks.size();
            }
            *b.port.valid = b.offering;
        }
    }

    void sample(int64_t cycle, bool counted) {
        for (Bank& b : banks) b.sample(cycle, counted);
    }

    double rate = 0, saved = 0, widest = 0;
    size_t turn = 0;
    std::vector<Bank> banks;
};
