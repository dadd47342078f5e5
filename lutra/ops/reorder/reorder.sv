// Blocks of BLOCK elements, LANES a word, in another order. Where words hold whole blocks, FILE says where each element of
// a block comes from, the first in the low bits, and all is wires: latency 1.
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
    generate
        if (LANES % BLOCK == 0) begin : g_lanes
            lutra_reorder_lanes #(.BITS(BITS), .LANES(LANES), .BLOCK(BLOCK), .FILE(FILE)) lanes (.*);
        end else begin : g_words
            lutra_reorder_words #(
                .WIDTH(LANES * BITS), .WORDS(BLOCK / LANES), .RAM(RAM), .FIRST(FIRST), .COUNT1(COUNT1), .COUNT2(COUNT2),
                .COUNT3(COUNT3), .COUNT4(COUNT4), .STEP1(STEP1), .STEP2(STEP2), .STEP3(STEP3), .STEP4(STEP4),
                .STEP_BLOCK(STEP_BLOCK), .ROM(ROM), .FILE(FILE)
            ) words (.*);
        end
    endgenerate

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(LANES * BITS)) rules (.*);
`endif
endmodule

// By words.
module lutra_reorder_words #(
    parameter int WIDTH = 1,
    parameter int WORDS = 2,
    parameter int RAM = 0,
    parameter int FIRST = 0,
    parameter int COUNT1 = 2,
    parameter int COUNT2 = 1,
    parameter int COUNT3 = 1,
    parameter int COUNT4 = 1,
    parameter int STEP1 = 1,
    parameter int STEP2 = 0,
    parameter int STEP3 = 0,
    parameter int STEP4 = 0,
    parameter int STEP_BLOCK = 1,
    parameter int ROM = 0,
    parameter FILE = ""
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [WIDTH-1:0] in_data,
    input  logic             in_valid,
    output logic             in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic             out_valid,
    input  logic             out_ready
);
    localparam int DEPTH = 2 * WORDS;
    localparam int AW = $clog2(DEPTH);

    logic [1:0] full;  // halves that are written and not read to their end
    logic [AW-1:0] waddr, raddr;
    logic in_last, wrap, out_last, move;

    assign in_ready = !full[1];
    wire write = in_valid && in_ready;
    wire read = full != 2'd0;
    wire step = read && move;

    lutra_count #(.N(WORDS)) in_block (.step(write), .last(in_last), .*);
    lutra_count #(.N(DEPTH)) in_memory (.step(write), .last(wrap), .*);
    lutra_count #(.N(WORDS)) out_block (.last(out_last), .*);

    always_ff @(posedge clk) begin
        if (rst) begin
            full  <= '0;
            waddr <= '0;
        end else begin
            full <= full + 2'(write && in_last) - 2'(step && out_last);
            if (write) waddr <= wrap ? '0 : waddr + 1'b1;
        end
    end

    lutra_ram_stream #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(RAM)) ram (.*);

    generate
        if (ROM == 0) begin : g_counters
            lutra_reorder_counters #(
                .DEPTH(DEPTH), .FIRST(FIRST), .COUNT1(COUNT1), .COUNT2(COUNT2), .COUNT3(COUNT3), .COUNT4(COUNT4),
                .STEP1(STEP1), .STEP2(STEP2), .STEP3(STEP3), .STEP4(STEP4), .STEP_BLOCK(STEP_BLOCK)
            ) address (.*);
        end else begin : g_rom
            lutra_reorder_rom #(.WORDS(WORDS), .BLOCK(ROM - 1), .FILE(FILE)) address (.*);
        end
    endgenerate

`ifdef FORMAL
    wire [AW-1:0] look = '0;
    logic [WIDTH-1:0] seen, waiting;
    logic waits;
    always_ff @(posedge clk) if (!rst) assert (full <= 2);
`endif
endmodule

// Addresses by adding distances. The next distance is chosen while the address before it is read.
module lutra_reorder_counters #(
    parameter int DEPTH = 4,
    parameter int FIRST = 0,
    parameter int COUNT1 = 2,
    parameter int COUNT2 = 1,
    parameter int COUNT3 = 1,
    parameter int COUNT4 = 1,
    parameter int STEP1 = 1,
    parameter int STEP2 = 0,
    parameter int STEP3 = 0,
    parameter int STEP4 = 0,
    parameter int STEP_BLOCK = 1,
    parameter int AW = $clog2(DEPTH)
) (
    input  logic          clk,
    input  logic          rst,
    input  logic          step,
    output logic [AW-1:0] raddr
);
    logic begun;  // `ahead` leads to the next address; before that, in the first cycle, nothing was written to be read
    logic last1, last2, last3, last4;
    logic [AW:0] round, far;  // `round` is `ahead` less DEPTH
    logic [AW-1:0] ahead;

    wire turn = step || !begun;
    wire turn2 = turn && last1;
    wire turn3 = turn2 && last2;
    wire turn4 = turn3 && last3;

    lutra_count #(.N(COUNT1)) digit1 (.step(turn), .last(last1), .*);
    lutra_count #(.N(COUNT2)) digit2 (.step(turn2), .last(last2), .*);
    lutra_count #(.N(COUNT3)) digit3 (.step(turn3), .last(last3), .*);
    lutra_count #(.N(COUNT4)) digit4 (.step(turn4), .last(last4), .*);

    wire [AW:0] distance = !last1 ? (AW + 1)'(STEP1)
                         : !last2 ? (AW + 1)'(STEP2)
                         : !last3 ? (AW + 1)'(STEP3)
                         : !last4 ? (AW + 1)'(STEP4) : (AW + 1)'(STEP_BLOCK);

    assign far = {1'b0, raddr} + round;

    always_ff @(posedge clk) begin
        begun <= !rst;
        if (turn) begin
            ahead <= distance[AW-1:0];
            round <= distance - (AW + 1)'(DEPTH);
        end
        if (rst) raddr <= AW'(FIRST);
        else if (step) raddr <= far[AW] ? raddr + ahead : far[AW-1:0];
    end
endmodule

// Addresses from a memory of places in a block. It is read ahead; that is done before a block of three words, the
// smallest that needs it, is there.
module lutra_reorder_rom #(
    parameter int WORDS = 3,
    parameter int BLOCK = 0,
    parameter FILE = "",
    parameter int AW = $clog2(2 * WORDS)
) (
    input  logic          clk,
    input  logic          rst,
    input  logic          step,
    output logic [AW-1:0] raddr
);
    localparam int IW = $clog2(WORDS);
    localparam int D = BLOCK != 0 ? 2 : 1;  // registers behind the memory

    logic [IW-1:0] index, fetched, place;
    logic [D:0] half;  // of the index, and of the places behind it
    logic [D:0] begun;
    logic last;

    wire turn = step || !begun[D];

    lutra_count #(.N(WORDS)) word (.step(turn), .*);
    lutra_rom #(.WIDTH(IW), .DEPTH(WORDS), .BLOCK(BLOCK * IW), .FILE(FILE)) order (.en(turn), .out_data(fetched), .*);

    generate
        if (BLOCK != 0) begin : g_slow
            always_ff @(posedge clk) if (turn) place <= fetched;
        end else begin : g_fast
            assign place = fetched;
        end
    endgenerate

    always_ff @(posedge clk) begin
        if (rst) begin
            begun <= '0;
            half  <= '0;
            index <= '0;
        end else if (turn) begin
            begun <= {begun[D-1:0], 1'b1};
            half  <= {half[D-1:0], half[0] ^ last};
            index <= last ? '0 : index + 1'b1;
        end
        if (turn) raddr <= AW'(place) + (half[D] ? AW'(WORDS) : '0);
    end
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
