// The largest of WINDOW pixels, for each channel. A pixel is WORDS words of LANES codes. Latency 1 from the last pixel.
module lutra_maxreduce #(
    parameter int BITS = 1,
    parameter int SIGNED = 0,
    parameter int LANES = 1,
    parameter int WORDS = 1,
    parameter int WINDOW = 4
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [LANES*BITS-1:0] in_data,
    input  logic                  in_valid,
    output logic                  in_ready,
    output logic [LANES*BITS-1:0] out_data,
    output logic                  out_valid,
    input  logic                  out_ready
);
    localparam logic [BITS-1:0] FLIP = SIGNED != 0 ? BITS'(1) << (BITS - 1) : '0;  // the same order, unsigned

    logic [LANES*BITS-1:0] best;  // with this word, flipped
    logic [LANES*BITS-1:0] result;
    logic [LANES*BITS-1:0] held;  // of the pixels before, same channels
    logic first, last;  // pixel of the window
    wire step = in_valid && in_ready;

    lutra_reduction #(.WIDTH(LANES * BITS), .WORDS(WORDS), .TERMS(WINDOW)) pixels (.kept(best), .*);

    generate
        for (genvar i = 0; i < LANES; i++) begin : g_lane
            wire [BITS-1:0] a = in_data[i*BITS+:BITS] ^ FLIP;
            wire [BITS-1:0] b = held[i*BITS+:BITS];
            assign best[i*BITS+:BITS] = (first || a > b) ? a : b;
            assign result[i*BITS+:BITS] = best[i*BITS+:BITS] ^ FLIP;
        end
    endgenerate

    lutra_skid #(.WIDTH(LANES * BITS)) slice (.in_data(result), .in_valid(in_valid && last), .*);

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(LANES * BITS)) rules (.*);
`endif
endmodule
