// Sequences in both directions, and back: a sequence is written into one half of a memory while the one before is read
// out of the other. Where UNTURN is 0, columns of WORDS words come in order, and column t leaves before column L - 1 - t,
// t = 0 .. L - 1; else they come like that and leave as pairs in order. Latency 2 from the read of a word, with block RAM 3.
module lutra_turn #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int COLUMNS = 2,
    parameter int LBITS = 1,
    parameter int UNTURN = 0,
    parameter int BLOCK = 0
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [WIDTH-1:0] in0_data,
    input  logic             in0_valid,
    output logic             in0_ready,
    input  logic [LBITS-1:0] in1_data,
    input  logic             in1_valid,
    output logic             in1_ready,
    output logic [WIDTH-1:0] out_data,
    output logic             out_last,
    output logic             out_valid,
    input  logic             out_ready
);
    localparam int STRIDE = UNTURN != 0 ? 2 * WORDS : WORDS;  // from column to column of one direction
    localparam int HALF = COLUMNS * STRIDE;
    localparam int AW = $clog2(2 * HALF);

    logic busy, en, wbank, rbank, write, read, step, last_in, last_out;
    logic [1:0] full;
    logic [LBITS-1:0] length, length0, length1;  // of what comes, and of the halves
    logic [AW-1:0] woffset, roffset, waddr, raddr;
    lutra_skid #(.WIDTH(LBITS)) lengths (
        .clk, .rst, .in_data(in1_data), .in_valid(in1_valid), .in_ready(in1_ready),
        .out_data(length), .out_valid(busy), .out_ready(write && last_in));
    assign in0_ready = busy && !full[wbank];
    assign write     = in0_valid && in0_ready;
    assign read      = full[rbank];
    assign step      = read && en;
    always_ff @(posedge clk) begin
        if (rst) begin
            wbank <= 1'b0;
            rbank <= 1'b0;
            full  <= '0;
        end else begin
            if (write && last_in) wbank <= !wbank;
            if (step && last_out) rbank <= !rbank;
            for (int b = 0; b < 2; b++)
                if (write && last_in && wbank == b[0]) full[b] <= 1'b1;
                else if (step && last_out && rbank == b[0]) full[b] <= 1'b0;
        end
        if (write && last_in && !wbank) length0 <= length;
        if (write && last_in && wbank) length1 <= length;
    end

    generate
        if (UNTURN != 0) begin : g_unturn
            lutra_turning #(.WORDS(WORDS), .STRIDE(STRIDE), .LBITS(LBITS), .AW(AW)) order (
                .clk, .rst, .step(write), .length, .offset(woffset), .last(last_in));
            lutra_straight #(.WORDS(2 * WORDS), .LBITS(LBITS), .AW(AW)) columns (
                .clk, .rst, .step, .length(rbank ? length1 : length0), .offset(roffset), .last(last_out));
        end else begin : g_turn
            lutra_straight #(.WORDS(WORDS), .LBITS(LBITS), .AW(AW)) columns (
                .clk, .rst, .step(write), .length, .offset(woffset), .last(last_in));
            lutra_turning #(.WORDS(WORDS), .STRIDE(STRIDE), .LBITS(LBITS), .AW(AW)) order (
                .clk, .rst, .step, .length(rbank ? length1 : length0), .offset(roffset), .last(last_out));
        end
    endgenerate
    assign waddr = wbank ? woffset + AW'(HALF) : woffset;
    assign raddr = rbank ? roffset + AW'(HALF) : roffset;

    localparam int D = BLOCK != 0 ? 2 : 1;
    logic [WIDTH-1:0] fetched, word;
    logic [D-1:0] valid, last;
    lutra_ram #(.WIDTH(WIDTH), .DEPTH(2 * HALF), .BLOCK(BLOCK)) memory (
        .clk, .write, .waddr, .in_data(in0_data), .fetch(en), .raddr, .fetched);
    lutra_delay #(.N(D - 1), .W(WIDTH)) slow (.clk, .en, .in_data(fetched), .out_data(word));
    always_ff @(posedge clk) begin
        if (rst) valid <= '0;
        else if (en) valid <= D'({valid, read});
        if (en) last <= D'({last, last_out});
    end
    lutra_skid #(.WIDTH(WIDTH + 1)) slice (
        .clk, .rst, .in_data({last[D-1], word}), .in_valid(valid[D-1]), .in_ready(en),
        .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule

// The way back.
module lutra_unturn #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int COLUMNS = 2,
    parameter int LBITS = 1,
    parameter int BLOCK = 0
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [WIDTH-1:0] in0_data,
    input  logic             in0_valid,
    output logic             in0_ready,
    input  logic [LBITS-1:0] in1_data,
    input  logic             in1_valid,
    output logic             in1_ready,
    output logic [WIDTH-1:0] out_data,
    output logic             out_last,
    output logic             out_valid,
    input  logic             out_ready
);
    lutra_turn #(.WIDTH(WIDTH), .WORDS(WORDS), .COLUMNS(COLUMNS), .LBITS(LBITS), .UNTURN(1), .BLOCK(BLOCK)) both (.*);
endmodule

// Places of words in order: WORDS of each of `length` columns.
module lutra_straight #(
    parameter int WORDS = 1,
    parameter int LBITS = 1,
    parameter int AW = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             step,
    input  logic [LBITS-1:0] length,
    output logic [   AW-1:0] offset,
    output logic             last
);
    logic last_word;
    logic [LBITS-1:0] t;
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(last_word));
    assign last = last_word && t == length - 1'b1;
    always_ff @(posedge clk)
        if (rst || (step && last)) begin
            t      <= '0;
            offset <= '0;
        end else if (step) begin
            if (last_word) t <= t + 1'b1;
            offset <= offset + 1'b1;
        end
endmodule

// Places of words, WORDS of a column from the front, then as many from the back, until each direction has been through.
// `length` is needed a cycle before the first word from the back.
module lutra_turning #(
    parameter int WORDS = 1,
    parameter int STRIDE = 1,
    parameter int LBITS = 1,
    parameter int AW = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             step,
    input  logic [LBITS-1:0] length,
    output logic [   AW-1:0] offset,
    output logic             last
);
    logic last_word, back, begun, ends;
    logic [LBITS-1:0] t;
    logic [AW-1:0] front, rear, start;  // start: of the column that is the first from the back
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(last_word));
    assign ends   = t == length - 1'b1;
    assign last   = last_word && back && ends;
    assign offset = !back ? front : begun ? rear : start;
    always_ff @(posedge clk) begin
        start <= AW'(length) * AW'(STRIDE) - AW'(WORDS);
        if (rst || (step && last)) begin
            t     <= '0;
            back  <= 1'b0;
            begun <= 1'b0;
            front <= '0;
        end else if (step) begin
            if (last_word) back <= !back;
            if (last_word && back) t <= t + 1'b1;
            if (back) begun <= 1'b1;
            else front <= front + (last_word ? AW'(STRIDE - WORDS + 1) : AW'(1));
        end
        if (step && back) rear <= offset + (last_word ? AW'(1 - WORDS - STRIDE) : AW'(1));
    end
endmodule
