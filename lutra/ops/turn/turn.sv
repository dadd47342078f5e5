// The order in which recurrent cells take groups of sequences, and theirs again: a group is written into one half of a
// memory while the one before is read out of the other. Where UNTURN is 0, sequences of columns of WORDS words come one
// after the other, and of each in turn column t leaves, with DIRECTIONS 2 before its column L - 1 - t, t = 0 .. one less
// than the longest has; for what a sequence lacks BLANK does. Else they come like that and leave one after the other.
// Latency 2 from the read of a word, with block RAM 3.
module lutra_turn #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int COLUMNS = 2,
    parameter int LBITS = 1,
    parameter int SEQUENCES = 1,
    parameter int DIRECTIONS = 2,
    parameter int BITS = 1,
    parameter int BLANK = 0,  // the code of an element
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
    localparam int STRIDE = UNTURN != 0 ? DIRECTIONS * WORDS : WORDS;  // from column to column of one direction
    localparam int SPAN = COLUMNS * STRIDE;  // from sequence to sequence
    localparam int HALF = SEQUENCES * SPAN;
    localparam int AW = $clog2(2 * HALF);
    localparam int LW = (SEQUENCES + 1) * LBITS;

    logic busy, en, wbank, rbank, write, keep, read, step, last_in, last_out, end_out, gone_out;
    logic [1:0] full;
    logic [LW-1:0] length, length0, length1;  // of what comes, and of the halves: of each sequence, and the longest
    logic [AW-1:0] woffset, roffset, waddr, raddr;
    lutra_group_lengths #(.SEQUENCES(SEQUENCES), .LBITS(LBITS)) lengths (
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
            logic gone;
            lutra_turning #(
                .SEQUENCES(SEQUENCES), .DIRECTIONS(DIRECTIONS), .WORDS(WORDS), .STRIDE(STRIDE), .SPAN(SPAN),
                .LBITS(LBITS), .AW(AW)
            ) order (.clk, .rst, .step(write), .lengths(length), .offset(woffset), .gone, .last(last_in));
            lutra_straight #(
                .SEQUENCES(SEQUENCES), .WORDS(STRIDE), .SPAN(SPAN), .LBITS(LBITS), .AW(AW)
            ) columns (
                .clk, .rst, .step, .lengths(rbank ? length1 : length0), .offset(roffset), .ends(end_out),
                .last(last_out));
            assign keep     = !gone;
            assign gone_out = 1'b0;
        end else begin : g_turn
            logic unused_ends;
            lutra_straight #(
                .SEQUENCES(SEQUENCES), .WORDS(WORDS), .SPAN(SPAN), .LBITS(LBITS), .AW(AW)
            ) columns (
                .clk, .rst, .step(write), .lengths(length), .offset(woffset), .ends(unused_ends), .last(last_in));
            lutra_turning #(
                .SEQUENCES(SEQUENCES), .DIRECTIONS(DIRECTIONS), .WORDS(WORDS), .STRIDE(STRIDE), .SPAN(SPAN),
                .LBITS(LBITS), .AW(AW)
            ) order (
                .clk, .rst, .step, .lengths(rbank ? length1 : length0), .offset(roffset), .gone(gone_out),
                .last(last_out));
            assign keep    = 1'b1;
            assign end_out = last_out;
        end
    endgenerate
    assign waddr = wbank ? woffset + AW'(HALF) : woffset;
    assign raddr = rbank ? roffset + AW'(HALF) : roffset;

    localparam int D = BLOCK != 0 ? 2 : 1;
    logic [WIDTH-1:0] fetched, word, given;
    logic [D-1:0] valid, last, gone;
    lutra_ram #(.WIDTH(WIDTH), .DEPTH(2 * HALF), .BLOCK(BLOCK)) memory (
        .clk, .write(write && keep), .waddr, .in_data(in0_data), .fetch(en), .raddr, .fetched);
    lutra_delay #(.N(D - 1), .W(WIDTH)) slow (.clk, .en, .in_data(fetched), .out_data(word));
    assign given = gone[D-1] ? {WIDTH / BITS{BITS'(BLANK)}} : word;
    always_ff @(posedge clk) begin
        if (rst) valid <= '0;
        else if (en) valid <= D'({valid, read});
        if (en) begin
            last <= D'({last, end_out});
            gone <= D'({gone, gone_out});
        end
    end
    lutra_skid #(.WIDTH(WIDTH + 1)) slice (
        .clk, .rst, .in_data({last[D-1], given}), .in_valid(valid[D-1]), .in_ready(en),
        .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule

// The way back.
module lutra_unturn #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int COLUMNS = 2,
    parameter int LBITS = 1,
    parameter int SEQUENCES = 1,
    parameter int DIRECTIONS = 2,
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
    lutra_turn #(
        .WIDTH(WIDTH), .WORDS(WORDS), .COLUMNS(COLUMNS), .LBITS(LBITS), .SEQUENCES(SEQUENCES), .DIRECTIONS(DIRECTIONS),
        .UNTURN(1), .BLOCK(BLOCK)
    ) both (.*);
endmodule

// The lengths of a group's sequences at once, the first in the low bits, and above them the greatest; those of the next
// group meanwhile.
module lutra_group_lengths #(
    parameter int SEQUENCES = 1,
    parameter int LBITS = 1
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic [              LBITS-1:0] in_data,
    input  logic                           in_valid,
    output logic                           in_ready,
    output logic [(SEQUENCES+1)*LBITS-1:0] out_data,
    output logic                           out_valid,
    input  logic                           out_ready
);
    generate
        if (SEQUENCES == 1) begin : g_one
            logic [LBITS-1:0] length;
            lutra_skid #(.WIDTH(LBITS)) slice (
                .clk, .rst, .in_data, .in_valid, .in_ready, .out_data(length), .out_valid, .out_ready);
            assign out_data = {length, length};
        end else begin : g_many
            logic take, final_one, full, pass;
            logic [LBITS-1:0] most;
            logic [SEQUENCES*LBITS-1:0] coming;
            assign in_ready = !full;
            assign take     = in_valid && in_ready;
            assign pass     = full && (!out_valid || out_ready);
            lutra_count #(.N(SEQUENCES)) places (.clk, .rst, .step(take), .last(final_one));
            always_ff @(posedge clk) begin
                if (rst) begin
                    full      <= 1'b0;
                    out_valid <= 1'b0;
                end else begin
                    full <= full ? !pass : take && final_one;
                    if (pass) out_valid <= 1'b1;
                    else if (out_ready) out_valid <= 1'b0;
                end
                if (rst || pass) most <= '0;
                else if (take && in_data > most) most <= in_data;
                if (take) coming <= {in_data, coming[SEQUENCES*LBITS-1:LBITS]};
                if (pass) out_data <= {most, coming};
            end
        end
    endgenerate
endmodule

// Places of words in order: of each sequence WORDS of each column.
module lutra_straight #(
    parameter int SEQUENCES = 1,
    parameter int WORDS = 1,
    parameter int SPAN = 1,
    parameter int LBITS = 1,
    parameter int AW = 1
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic                           step,
    input  logic [(SEQUENCES+1)*LBITS-1:0] lengths,
    output logic [                 AW-1:0] offset,
    output logic                           ends,  // of a sequence
    output logic                           last
);
    localparam int SW = SEQUENCES > 1 ? $clog2(SEQUENCES) : 1;
    logic last_word, last_sequence;
    logic [LBITS-1:0] t;
    logic [SW-1:0] which;
    logic [AW-1:0] next;  // where the next sequence begins
    wire [LBITS-1:0] length = lengths[which*LBITS+:LBITS];
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(last_word));
    lutra_count #(.N(SEQUENCES)) sequences (.clk, .rst, .step(step && ends), .last(last_sequence));
    assign ends = last_word && t == length - 1'b1;
    assign last = ends && last_sequence;
    always_ff @(posedge clk)
        if (rst || (step && last)) begin
            t      <= '0;
            which  <= '0;
            next   <= AW'(SPAN);
            offset <= '0;
        end else if (step && ends) begin
            t      <= '0;
            which  <= which + 1'b1;
            next   <= next + AW'(SPAN);
            offset <= next;
        end else if (step) begin
            if (last_word) t <= t + 1'b1;
            offset <= offset + 1'b1;
        end
endmodule

// Places of words: of each sequence in turn WORDS of a column from the front, then with two DIRECTIONS as many from the
// back, until each direction of the longest has been through. `gone`: the sequence is over. `lengths` are needed a cycle
// before the first word from the back.
module lutra_turning #(
    parameter int SEQUENCES = 1,
    parameter int DIRECTIONS = 2,
    parameter int WORDS = 1,
    parameter int STRIDE = 1,
    parameter int SPAN = 1,
    parameter int LBITS = 1,
    parameter int AW = 1
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic                           step,
    input  logic [(SEQUENCES+1)*LBITS-1:0] lengths,
    output logic [                 AW-1:0] offset,
    output logic                           gone,
    output logic                           last
);
    localparam int SW = SEQUENCES > 1 ? $clog2(SEQUENCES) : 1;
    logic last_word, back, turn_end, last_sequence, round_end;
    logic [LBITS-1:0] t;
    logic [AW-1:0] front;
    wire [LBITS-1:0] longest = lengths[SEQUENCES*LBITS+:LBITS];
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(last_word));
    lutra_count #(.N(SEQUENCES)) sequences (.clk, .rst, .step(step && turn_end), .last(last_sequence));
    assign turn_end  = last_word && (back || DIRECTIONS == 1);
    assign round_end = turn_end && last_sequence;
    assign last      = round_end && t == longest - 1'b1;
    always_ff @(posedge clk)
        if (rst || (step && last)) begin
            t     <= '0;
            back  <= 1'b0;
            front <= '0;
        end else if (step) begin
            if (last_word) back <= DIRECTIONS == 2 && !back;
            if (round_end) t <= t + 1'b1;
            if (!back && !last_word) front <= front + 1'b1;
            else if (!back && !last_sequence) front <= front + AW'(SPAN - WORDS + 1);
            else if (!back) front <= front + AW'(STRIDE - WORDS + 1 - (SEQUENCES - 1) * SPAN);
        end

    generate
        if (DIRECTIONS == 2) begin : g_back
            logic begun;
            logic [SEQUENCES*AW-1:0] starts, rears;  // where each begins from the back; goes on, in turn
            logic [SW-1:0] which;
            logic [AW-1:0] rear, after;
            assign rear   = begun ? rears[0+:AW] : starts[which*AW+:AW];
            assign after  = rear + (last_word ? AW'(1 - WORDS - STRIDE) : AW'(1));
            assign offset = back ? rear : front;
            always_ff @(posedge clk) begin
                for (int s = 0; s < SEQUENCES; s++)
                    starts[s*AW+:AW] <= AW'(lengths[s*LBITS+:LBITS]) * AW'(STRIDE) + AW'(s * SPAN) - AW'(WORDS);
                if (rst || (step && last)) begin
                    begun <= 1'b0;
                    which <= '0;
                end else if (step && back) begin
                    begun <= !last_word || last_sequence || t != '0;
                    if (last_word) which <= last_sequence ? '0 : which + 1'b1;
                end
                if (step && back && last_word) rears <= (SEQUENCES * AW)'({after, rears} >> AW);
                else if (step && back) rears[0+:AW] <= after;
            end
        end else begin : g_front
            assign offset = front;
        end
        if (SEQUENCES > 1) begin : g_group
            logic [SEQUENCES-1:0] over;  // in turn
            logic [SW-1:0] own;
            wire [LBITS-1:0] length = lengths[own*LBITS+:LBITS];
            assign gone = over[0];
            always_ff @(posedge clk)
                if (rst || (step && last)) begin
                    over <= '0;
                    own  <= '0;
                end else if (step && turn_end) begin
                    over <= {over[0] || t == length - 1'b1, over[SEQUENCES-1:1]};
                    own  <= last_sequence ? '0 : own + 1'b1;
                end
        end else begin : g_single
            assign gone = 1'b0;
        end
    endgenerate
endmodule
