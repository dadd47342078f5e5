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
    logic word_last, last, step;
    logic first;  // in the window's first pixel

    assign step = in_valid && in_ready;

    lutra_count #(.N(WORDS)) word (.last(word_last), .*);
    lutra_count #(.N(WINDOW)) pixel (.step(step && word_last), .*);

    generate
        if (WINDOW == 1) begin : g_always
            assign first = 1'b1;
        end else begin : g_first
            always_ff @(posedge clk) begin
                if (rst) first <= 1'b1;
                else if (step && word_last) first <= last;
            end
        end
        for (genvar i = 0; i < LANES; i++) begin : g_lane
            wire [BITS-1:0] a = in_data[i*BITS+:BITS] ^ FLIP;
            wire [BITS-1:0] b = held[i*BITS+:BITS];
            assign best[i*BITS+:BITS] = (first || a > b) ? a : b;
            assign result[i*BITS+:BITS] = best[i*BITS+:BITS] ^ FLIP;
        end
        if (WORDS == 1) begin : g_register
            always_ff @(posedge clk) if (step) held <= best;
        end else begin : g_memory
            // The next word's entry is read while this one's is written: never the same, as WORDS >= 2.
            localparam int AW = $clog2(WORDS);
            (* ram_style = "distributed", no_rw_check *) logic [LANES*BITS-1:0] mem[WORDS];
            logic [AW-1:0] here, next;
            always_ff @(posedge clk) begin
                if (step) begin
                    mem[here] <= best;
                    held <= mem[next];
                end
                if (rst) begin
                    here <= '0;
                    next <= AW'(1);
                end else if (step) begin
                    here <= next;
                    next <= (next == AW'(WORDS - 1)) ? '0 : next + 1'b1;
                end
            end
        end
    endgenerate

    lutra_skid #(.WIDTH(LANES * BITS)) slice (.in_data(result), .in_valid(in_valid && last), .*);

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(LANES * BITS)) rules (.*);
`endif
endmodule
