// Writes a design's memories through its AXI4-Lite port, before anything moves at its other ends.
#pragma once
#include "ends.h"

struct Writer : End {
    Writer(const AxiPort& port, Reader& job, const std::string& name) : End{name}, port(port), staller(0, 0) {
        if (!port.awaddr) return;
        uint64_t count = job.value<uint64_t>(), seed = job.value<uint64_t>();
        staller = Staller(job.value<double>(), seed);
        writes.resize(2 * count);
        job.read(writes.data(), 4 * writes.size());
        *port.awvalid = *port.wvalid = *port.bready = 0;
    }

    bool done() const { return 2 * next == writes.size(); }

    // Before the edge: address and value come by themselves, each when it likes, and stay until they are taken.
    void offer() {
        if (!port.awaddr) return;
        if (!done() && !named && !staller.stalled()) *port.awvalid = 1;
        if (!done() && !valued && !staller.stalled()) *port.wvalid = 1;
        if (*port.awvalid) *port.awaddr = writes[2 * next];
        if (*port.wvalid) *port.wdata = writes[2 * next + 1], *port.wstrb = 15;
        *port.bready = !staller.stalled();
    }

    // At the edge, and what it leaves behind.
    void sample() {
        if (!port.awaddr) return;
        if (*port.awvalid && *port.awready) named = true, taken_address = true;
        if (*port.wvalid && *port.wready) valued = true, taken_value = true;
        if (*port.bvalid && *port.bready) {
            if (*port.bresp) fail("write " + std::to_string(next) + " is refused");
            answered = true;
        }
    }

    void settle() {
        if (!port.awaddr) return;
        if (taken_address) *port.awvalid = 0;
        if (taken_value) *port.wvalid = 0;
        if (answered) ++next, named = valued = false;
        taken_address = taken_value = answered = false;
    }

    AxiPort port;
    Staller staller;
    std::vector<uint32_t> writes;
    size_t next = 0;
    bool named = false, valued = false, taken_address = false, taken_value = false, answered = false;
};
