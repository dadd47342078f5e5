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
