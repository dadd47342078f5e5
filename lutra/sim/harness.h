// What the harness needs of a verilated model: plain pointers to its ports, so that the harness is compiled once.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// One AXI4-Stream design. Data ports hold whole bytes, little endian; `words` are its output words a frame.
struct Ends {
    void* in_data;
    uint8_t* in_valid;
    uint8_t* in_ready;
    int in_bytes;
    void* out_data;
    uint8_t* out_valid;
    uint8_t* out_ready;
    uint8_t* out_last;
    int out_bytes;
    uint64_t words;
};

// A stream inside the model, to say where a deadlock is.
struct Probe {
    int design;
    std::string name;
    int bit;  // its place in the two vectors below
};

struct Model {
    uint8_t* clk;
    uint8_t* rst;
    std::vector<Ends> ends;
    std::vector<Probe> probes;
    const uint8_t* probe_valid;
    const uint8_t* probe_ready;
    std::function<void()> eval;
    std::function<void(uint64_t)> dump;  // waveforms at a time; may be empty
};

int drive(Model& model, const char* job, const char* result);
