// Blocks of BLOCK elements, LANES a word, in another order. Where words hold whole blocks, FILE says where each element
// of a block comes from, the first in the low bits, and all is wires: latency 1.
//
// Else elements move by words: a block is written into one half of a memory while the one before is read out of the
// other. Latency 1 from the read of a word, with block RAM 2.
//
// The addresses of the reads: with ROM 0 each is the one before plus a distance (modulo the memory), which one of four
// nested counters chooses: COUNT1 .. COUNT4 are their rounds, the fastest first, STEP1 .. STEP4 the distances, and
// STEP_BLOCK leads to the next block. Otherwise they are read from FILE, in LUTs (ROM 1) or block RAM (ROM 2).
module lutra_reorder #(
    parameter int BITS = 1,
    parameter int LANES = 1,
    parameter int BLOCK = 1,
    parameter int RAM = 0,  // block RAM, not LUT RAM
    parameter int FIRST = 0,
    parameter int COUNT1 = 1,
    parameter int COUNT2 = 1,
    parameter int COUNT3 = 1,
    parameter int COUNT4 = 1,
    parameter int STEP1 = 0,
    parameter int STEP2 = 0,
    parameter int STEP3 = 0,
    parameter int STEP4 = 0,
    parameter int STEP_BLOCK = 0,
    parameter int ROM = 0,
    parameter FILE = ""
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
    localparam int WIDTH = LANES * BITS;
    generate
        if (LANES % BLOCK == 0) begin : g_lanes
            lutra_reorder_lanes #(.BITS(BITS), .LANES(LANES), .BLOCK(BLOCK), .FILE(FILE)) lanes (.*);
        end else begin : g_words
            localparam int WORDS = BLOCK / LANES;
            localparam int DEPTH = 2 * WORDS;
            localparam int AW = $clog2(DEPTH);

            logic [1:0] full;  // halves that are written and not read to their end
            logic [AW-1:0] waddr, raddr;
            logic write, read, move, step, in_last, wrap, out_last;
`ifdef FORMAL
            wire [AW-1:0] look = '0;
            logic [WIDTH-1:0] seen, waiting;
            logic waits;
`endif

            assign in_ready = !full[1];
            assign write    = in_valid && in_ready;
            assign read     = full != 2'd0;
            assign step     = read && move;

            lutra_count #(.N(WORDS)) in_block (.clk, .rst, .step(write), .last(in_last));
            lutra_count #(.N(DEPTH)) in_memory (.clk, .rst, .step(write), .last(wrap));
            lutra_count #(.N(WORDS)) out_block (.clk, .rst, .step, .last(out_last));

            always_ff @(posedge clk) begin
                if (rst) begin
                    full  <= '0;
                    waddr <= '0;
                end else begin
                    full <= full + 2'(write && in_last) - 2'(step && out_last);
                    if (write) waddr <= wrap ? '0 : waddr + 1'b1;
                end
            end

            lutra_ram_stream #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(RAM)) ram (
`ifdef FORMAL
                .look, .seen, .waits, .waiting,
`endif
                .clk, .rst, .write, .waddr, .in_data, .read, .raddr, .move, .out_data, .out_valid, .out_ready);

            if (ROM == 0) begin : g_counters
                lutra_reorder_counters #(
                    .DEPTH(DEPTH), .FIRST(FIRST), .COUNT1(COUNT1), .COUNT2(COUNT2), .COUNT3(COUNT3), .COUNT4(COUNT4),
                    .STEP1(STEP1), .STEP2(STEP2), .STEP3(STEP3), .STEP4(STEP4), .STEP_BLOCK(STEP_BLOCK)
                ) address (.clk, .rst, .step, .raddr);
            end else begin : g_rom
                lutra_reorder_rom #(.WORDS(WORDS), .BLOCK(ROM - 1), .FILE(FILE)) address (.clk, .rst, .step, .raddr);
            end

`ifdef FORMAL
            always_ff @(posedge clk) if (!rst) assert (full <= 2);
`endif
        end
    endgenerate

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(WIDTH)) rules (.*);
`endif
endmodule

// By lanes.
module lutra_reorder_lanes #(
    parameter int BITS = 1,
    parameter int LANES = 2,
    parameter int BLOCK = 2,
    parameter FILE = ""  // where each element of a block comes from, the first in the low bits
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
    localparam int IW = BLOCK > 1 ? $clog2(BLOCK) : 1;

    logic [BLOCK*IW-1:0] order[1];
    logic [LANES*BITS-1:0] moved;
    initial $readmemh(FILE, order);

    generate
        for (genvar i = 0; i < LANES; i++) begin : g_lane
            wire [BLOCK*BITS-1:0] block = in_data[i/BLOCK*BLOCK*BITS+:BLOCK*BITS];
            wire [IW-1:0] from = order[0][i%BLOCK*IW+:IW];
            assign moved[i*BITS+:BITS] = BITS'(block >> (from * BITS));
        end
    endgenerate

    lutra_skid #(.WIDTH(LANES * BITS)) slice (.in_data(moved), .*);
endmodule
