// What the harness needs of a verilated model: plain pointers to its ports, so that the harness is compiled once.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// The ports of an AXI4-Stream end. Data ports hold `bytes` whole bytes, little endian.
struct InPort {
    void* data;
    uint8_t* valid;
    uint8_t* ready;
    size_t bytes;
};

struct OutPort {
    void* data;
    uint8_t* valid;
    uint8_t* ready;
    uint8_t* last;
    size_t bytes;
    uint64_t words;  // a frame; where it is ragged, the most
    bool ragged;
};

// An AXI4 read port: what the master asks, what it hears.
struct ReadPort {
    uint64_t* base;
    const uint64_t* address;
    const uint8_t* length;  // beats, less one
    const uint8_t* asked;
    uint8_t* accepts;
    void* data;
    uint8_t* last;
    uint8_t* valid;
    const uint8_t* ready;
    size_t bytes;  // of a beat
};

// The writing half of an AXI4-Lite port; null where a design has none.
struct AxiPort {
    uint32_t* awaddr;
    uint8_t *awvalid, *awready;
    uint32_t* wdata;
    uint8_t *wstrb, *wvalid, *wready, *bresp, *bvalid, *bready;
};

struct Ends {
    std::vector<InPort> inputs;
    std::vector<OutPort> outputs;
    std::vector<ReadPort> memory;
    AxiPort axi;
};

// A stream inside the model.
struct Probe {
    int design;
    std::string name;
    int bit;  // its place in the model's two vectors
};

// A FIFO inside the model, by the bits of the streams that it takes from and gives to.
struct Store {
    int in, out;
};

struct Model {
    uint8_t* clk;
    uint8_t* rst;
    std::vector<Ends> designs;
    std::vector<Probe> probes;
    std::vector<Store> stores;
    const uint8_t* probe_valid;
    const uint8_t* probe_ready;
    std::function<void()> eval;
    std::function<void(uint64_t)> dump;  // waveforms at a time; may be empty
};

int drive(Model& model, const char* job, const char* result);
