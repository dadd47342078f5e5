// Sliding window: rows go into a circular buffer of ROWS rows, and for each output pixel KH * KW pixels of WORDS words
// come out of it. Writer and reader are coupled by whole rows: a row of outputs starts when its NEED rows are complete
// and gives back FREE of them at its end (FREE_LAST at the end of the frame). Rows may be given back before they are
// written (where the stride skips them): up to DEBT.
//
// The address of a read is the one before plus a distance, modulo the buffer: no multiplier. STEP_* are those
// distances (modulo ROWS * ROW), each from the last word of the loops inside to the first of the next round.
module lutra_window #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int ROW = 1,  // words a row
    parameter int ROWS = 2,
    parameter int NEED = 1,
    parameter int FREE = 1,
    parameter int FREE_LAST = 1,
    parameter int DEBT = 0,
    parameter int KH = 1,
    parameter int KW = 1,
    parameter int OUT_ROWS = 1,
    parameter int OUT_COLUMNS = 1,
    parameter int STEP_KW = 0,
    parameter int STEP_KH = 0,
    parameter int STEP_COLUMN = 0,
    parameter int STEP_ROW = 0,
    parameter int STEP_FRAME = 0,
    parameter int BLOCK = 0
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
    localparam int DEPTH = ROWS * ROW;
    localparam int AW = $clog2(DEPTH);
    localparam int RW = $clog2(ROWS + DEBT + 1);

    // Writer. A row counts as room until it is complete, so `room` is never 0 in the middle of one.
    logic [RW-1:0] room;
    logic [AW-1:0] waddr;
    logic write, row_end, wrap;
    logic give, give_last;  // the reader gives rows back

    assign in_ready = room != '0;
    assign write = in_valid && in_ready;

    lutra_count #(.N(ROW)) in_row (.step(write), .last(row_end), .*);
    lutra_count #(.N(DEPTH)) in_buffer (.step(write), .last(wrap), .*);

    wire row_done = write && row_end;
    wire [RW-1:0] given = give ? (give_last ? RW'(FREE_LAST) : RW'(FREE)) : '0;

    always_ff @(posedge clk) begin
        if (rst) begin
            room  <= RW'(ROWS);
            waddr <= '0;
        end else begin
            room <= room + given - RW'(row_done);
            if (write) waddr <= wrap ? '0 : waddr + 1'b1;
        end
    end

    // Reader, first stage: the loops. `have` is DEBT more than the complete rows that are not given back.
    logic [RW-1:0] have;
    logic start;  // the step to come is the first of a row of outputs
    logic step, word_last, kw_last, kh_last, column_last, row_last;

    assign step = move_read && (!start || have >= RW'(NEED + DEBT));

    wire end_kw = step && word_last;
    wire end_kh = end_kw && kw_last;
    wire end_pixel = end_kh && kh_last;
    wire end_row = end_pixel && column_last;

    lutra_count #(.N(WORDS)) word (.last(word_last), .*);
    lutra_count #(.N(KW)) tap (.step(end_kw), .last(kw_last), .*);
    lutra_count #(.N(KH)) line (.step(end_kh), .last(kh_last), .*);
    lutra_count #(.N(OUT_COLUMNS)) column (.step(end_pixel), .last(column_last), .*);
    lutra_count #(.N(OUT_ROWS)) row (.step(end_row), .last(row_last), .*);

    always_ff @(posedge clk) begin
        if (rst) begin
            start <= 1'b1;
            have  <= RW'(DEBT);
        end else begin
            if (step) start <= end_row;
            have <= have + RW'(row_done) - (end_row ? (row_last ? RW'(FREE_LAST) : RW'(FREE)) : '0);
        end
    end

    // Second stage: the address. `ahead` leads to the next read; `round` is the same less DEPTH.
    logic [AW:0] round, far;
    logic [AW-1:0] ahead, raddr;
    logic read, read_end, read_last;  // a read is due, the last of a row of outputs, of a frame
    logic move_read, move;  // this stage goes on; the stage after it takes

    wire [AW:0] distance = !word_last ? (AW + 1)'(1)
                         : !kw_last ? (AW + 1)'(STEP_KW)
                         : !kh_last ? (AW + 1)'(STEP_KH)
                         : !column_last ? (AW + 1)'(STEP_COLUMN)
                         : !row_last ? (AW + 1)'(STEP_ROW) : (AW + 1)'(STEP_FRAME);

    assign move_read = !read || move;
    assign give = move && read && read_end;
    assign give_last = read_last;
    assign far = {1'b0, raddr} + round;

    always_ff @(posedge clk) begin
        if (move_read) begin
            ahead <= distance[AW-1:0];
            round <= distance - (AW + 1)'(DEPTH);
            read_end <= end_row;
            read_last <= row_last;
        end
        if (rst) raddr <= '0;
        else if (move && read) raddr <= far[AW] ? raddr + ahead : far[AW-1:0];
        if (rst) read <= 1'b0;
        else if (move_read) read <= step;
    end

    lutra_ram_stream #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(BLOCK)) ram (.*);

`ifdef FORMAL
    wire [AW-1:0] look = '0;
    logic [WIDTH-1:0] seen, waiting;
    logic waits;
    formal_rules #(.OUT_WIDTH(WIDTH)) rules (.*);

    wire [15:0] going = read && read_end ? (read_last ? FREE_LAST : FREE) : 0;  // rows about to be given back
    always_ff @(posedge clk) begin
        if (!rst) begin
            assert (have + room + going == ROWS + DEBT);
            assert (start || have >= NEED + DEBT);
        end
    end
`endif
endmodule
