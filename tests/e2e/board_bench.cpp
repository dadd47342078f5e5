// A packaged design on a simulated board: its streams, its AXI4-Lite ports and its memory, driven by lines on stdin.
//   write PORT OFFSET VALUE | read PORT OFFSET | place FILE | transfer FILE... SIZE... (a file for each input, bytes for
//   each output) | quit.  Each answers a line: a number, outputs as hexadecimal, or what is wrong after "!".
// Slaves and masters stall at random. ports.h, made for the design, says where its ports are.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vip.h"

using Bytes = std::vector<uint8_t>;
struct Stream { uint8_t *data, *valid, *ready, *keep, *last; size_t bus; };
struct Lite { uint8_t *address, *awvalid, *awready, *araddress, *arvalid, *arready; uint32_t* wdata; uint8_t *wstrb,
    *wvalid, *wready, *bresp, *bvalid, *bready; uint32_t* rdata; uint8_t *rresp, *rvalid, *rready; size_t bits; };
struct Reads { uint64_t* address; uint8_t *length, *size, *burst, *valid, *ready, *data, *rvalid, *rlast, *rready;
    size_t bytes; };

static VerilatedContext context;
static Vip ip{&context};
#include "ports.h"

static std::mt19937 random_bits(1);
static const uint64_t BASE = 0x340000000;  // above 32 bits, so that both halves of an address are seen
static Bytes memory;
struct Burst { uint64_t address; unsigned left; int wait; };
static std::vector<std::deque<Burst>> bursts(regions.size());

static bool chance() { return random_bits() % 4 != 0; }

static Bytes file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

static void put(uint8_t* address, size_t bits, uint64_t value) { std::memcpy(address, &value, bits <= 8 ? 1 : bits <= 16 ? 2 : 4); }

// The memory's side of what the clock's rise is about to take.
static void taken(Reads& r, std::deque<Burst>& queue) {
    for (auto& burst : queue) burst.wait--;
    if (*r.rvalid && *r.rready) {
        queue.front().address += r.bytes;
        if (--queue.front().left == 0) queue.pop_front();
        *r.rvalid = 0;
    }
    if (!*r.valid || !*r.ready) return;
    if ((1u << *r.size) != r.bytes || *r.burst != 1) throw std::runtime_error("a read of partial beats");
    if (*r.address / 4096 != (*r.address + (*r.length + 1) * r.bytes - 1) / 4096) throw std::runtime_error("a burst over 4 KiB");
    queue.push_back({*r.address, *r.length + 1u, 20});
}

// The clock falls, and the memory says what it has. Other ports were set before.
static void tick() {
    for (size_t k = 0; k < regions.size(); k++) {
        Reads& r = regions[k];
        auto& queue = bursts[k];
        *r.ready = chance();
        if (!*r.rvalid && !queue.empty() && queue.front().wait <= 0) *r.rvalid = chance();
        if (*r.rvalid) {
            const uint64_t at = queue.front().address - BASE;
            if (queue.front().address < BASE || at + r.bytes > memory.size()) throw std::runtime_error("a read outside the image");
            std::memcpy(r.data, &memory[at], r.bytes);
            *r.rlast = queue.front().left == 1;
        }
    }
    ip.aclk = 0;
    ip.eval();
}

// What was offered and taken is looked at between `tick` and `rise`: the edge must see the ports as they were, so the
// memory takes note before it and changes its ports after it.
static void rise() {
    std::vector<uint8_t> valid;
    for (size_t k = 0; k < regions.size(); k++) {
        const uint8_t shown = *regions[k].rvalid;
        taken(regions[k], bursts[k]);
        valid.push_back(*regions[k].rvalid);
        *regions[k].rvalid = shown;
    }
    ip.aclk = 1;
    ip.eval();
    for (size_t k = 0; k < regions.size(); k++) *regions[k].rvalid = valid[k];
}

static void cycle() { tick(); rise(); }

static void settle(uint8_t& valid, const uint8_t& ready) {
    valid = 1;
    for (int wait = 0;; wait++) {
        tick();
        const bool taken = ready;
        rise();
        if (taken) break;
        if (wait == 1000) throw std::runtime_error("a port takes nothing");
    }
    valid = 0;
}

static void write(Lite& p, uint64_t offset, uint32_t value) {
    put(p.address, p.bits, offset);
    settle(*p.awvalid, *p.awready);
    *p.wdata = value;
    *p.wstrb = 15;
    settle(*p.wvalid, *p.wready);
    settle(*p.bready, *p.bvalid);
    if (*p.bresp) throw std::runtime_error("a write is refused");
}

static uint32_t read(Lite& p, uint64_t offset) {
    put(p.araddress, p.bits, offset);
    settle(*p.arvalid, *p.arready);
    while (!*p.rvalid) cycle();
    const uint32_t found = *p.rdata;
    const bool refused = *p.rresp;
    settle(*p.rready, *p.rvalid);
    if (refused) throw std::runtime_error("a read is refused");
    return found;
}

static std::string transfer(const std::vector<Bytes>& sent, const std::vector<size_t>& sizes) {
    std::vector<Bytes> got(outputs.size());
    std::vector<size_t> at(inputs.size());
    for (int idle = 0; idle < 20000;) {
        bool moved = false, done = true;
        for (size_t k = 0; k < inputs.size(); k++) {
            if (!*inputs[k].valid && at[k] < sent[k].size() && chance()) {
                std::memcpy(inputs[k].data, &sent[k][at[k]], inputs[k].bus);
                *inputs[k].valid = 1;
            }
        }
        for (auto& out : outputs) *out.ready = chance();
        tick();
        std::vector<bool> taken;
        for (auto& in : inputs) taken.push_back(*in.valid && *in.ready);
        for (size_t k = 0; k < outputs.size(); k++) {
            Stream& out = outputs[k];
            if (!*out.valid || !*out.ready) continue;
            got[k].insert(got[k].end(), out.data, out.data + out.bus);
            for (size_t i = 0; i < out.bus; i++) if (!(out.keep[i / 8] >> (i % 8) & 1)) throw std::runtime_error("tkeep");
            if (bool(*out.last) != (got[k].size() == sizes[k])) throw std::runtime_error("tlast is misplaced at byte " + std::to_string(got[k].size()));
            moved = true;
        }
        rise();
        for (size_t k = 0; k < inputs.size(); k++) if (taken[k]) { *inputs[k].valid = 0; at[k] += inputs[k].bus; moved = true; }
        for (size_t k = 0; k < outputs.size(); k++) done = done && got[k].size() >= sizes[k];
        idle = moved ? 0 : done && idle < 19000 ? 19000 : idle + 1;  // what comes after the last beat would be seen
    }
    for (auto& out : outputs) *out.ready = 0;
    for (auto& in : inputs) *in.valid = 0;
    for (size_t k = 0; k < inputs.size(); k++) if (at[k] < sent[k].size()) throw std::runtime_error("words are not taken");
    std::string text;
    for (auto& bytes : got) {
        text += text.empty() ? "" : " ";
        for (uint8_t b : bytes) { char two[3]; std::snprintf(two, 3, "%02x", b); text += two; }
    }
    return text;
}

static std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string verb, port, path;
    words >> verb;
    if (verb == "place") {
        words >> path;
        memory = file(path);
        return std::to_string(BASE);
    }
    if (verb == "transfer") {
        std::vector<Bytes> sent;
        std::vector<size_t> sizes(outputs.size());
        for (size_t k = 0; k < inputs.size(); k++) { words >> path; sent.push_back(file(path)); }
        for (size_t& size : sizes) words >> size;
        return transfer(sent, sizes);
    }
    uint64_t offset = 0;
    uint32_t value = 0;
    words >> port >> offset >> value;
    Lite& lite = port == "s_axi_host" ? lites.at(0) : lites.at(1);
    if (verb == "read") return std::to_string(read(lite, offset));
    write(lite, offset, value);
    return "0";
}

int main() {
    context.randReset(2);
    ip.aresetn = 0;
    for (int k = 0; k < 8; k++) cycle();
    ip.aresetn = 1;
    for (int k = 0; k < 8; k++) cycle();
    for (std::string line; std::getline(std::cin, line) && line != "quit";) {
        try {
            std::cout << answer(line) << std::endl;
        } catch (const std::exception& error) {
            std::cout << "!" << error.what() << std::endl;
        }
    }
    ip.final();
}
