// What recurrent cells share: for each column of each context in turn, and for PE neurons at a time with all their gates,
// sums of products of the column (SIMD lanes, SX words) and of h, what the cell made of the context's last column (SIMD_R
// lanes, SR words), and a bias. NF words of sums a step; SF = max(SX, SR) slots for each. The words of h are taken in the
// last slots of a sum. After a step of each context, REST slots pass, until h can be read again.
//
// The pipeline moves when `en` is high. `sums` is there DEPTH + 1 registers after its last slot; CELL - 2 later (see
// `done`) the cell gives h, with `store`.
module lutra_recurrent #(
    parameter int PE = 1,
    parameter int NF = 1,
    parameter int SX = 1,
    parameter int SR = 1,
    parameter int CONTEXTS = 1,
    parameter int DIRECTIONS = 1,  // contexts with weights of their own: each DIRECTIONS of them have the same in turn
    parameter int REST = 0,
    parameter int LBITS = 1,  // of a length
    parameter int GATES = 4,  // rows of a neuron in each matrix
    parameter int SPLIT = 0,  // the last gate has two sums: of the column, with its bias, and of h
    parameter int ABITS = 2,  // of a sum, two's complement
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int XSCALE = 1,  // steps of a sum in a step of x, shift included
    parameter int XWBITS = 1,
    parameter int XWSIGNED = 0,
    parameter int XBIPOLAR = 0,
    parameter int XFORM = 0,  // see `lutra_dots`
    parameter int XDEPTH = 3,  // registers from a slot to its products' sums
    parameter int XBLOCK = 0,  // weights in block RAM, in slices of so many bits
    parameter int SIMD_R = 1,
    parameter int HBITS = 1,
    parameter int HSIGNED = 0,
    parameter int HSCALE = 1,
    parameter int HWBITS = 1,
    parameter int HWSIGNED = 0,
    parameter int HBIPOLAR = 0,
    parameter int HFORM = 0,
    parameter int HDEPTH = 3,
    parameter int HBLOCK = 0,
    parameter int TOGETHER = 1,  // neurons of a row of h's memory: the least multiple of PE and SIMD_R
    parameter int STATE_BLOCK = 0,  // h in block RAM
    parameter WX = "",  // for each word of sums SX words of PE * GATES * SIMD codes
    parameter WH = "",
    parameter BIAS = "",  // a word of PE * SUMS codes for each word of sums of a step of each direction
    parameter int SUMS = GATES + (SPLIT != 0 ? 1 : 0)
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic [   SIMD*XBITS-1:0] in0_data,
    input  logic                     in0_valid,
    output logic                     in0_ready,
    input  logic [        LBITS-1:0] in1_data,
    input  logic                     in1_valid,
    output logic                     in1_ready,
    input  logic                     en,
    output logic                     soon,  // two registers before `done`
    output logic                     initial_soon,  // a register before `done`: it is of a sequence's first column
    output logic                     done,  // sums of PE neurons
    output logic                     final_done,  // the last ones of a sequence
    output logic [PE*SUMS*ABITS-1:0] sums,
    input  logic                     store,
    input  logic [     PE*HBITS-1:0] h
);
    localparam int SF = SX > SR ? SX : SR;
    localparam int SW = SF > 1 ? $clog2(SF) : 1;
    localparam int D = XDEPTH > HDEPTH ? XDEPTH : HDEPTH;

    // A slot a cycle, while there is a length and, of the first neurons of a step, a word of the column.
    logic busy, first_nf, resting, rested, last_sf, last_nf, last_context, slot, step, over, round_end, ends, frame_end;
    logic x_on, h_on;
    logic [LBITS-1:0] length, t;
    logic [SW-1:0] sf;
    lutra_skid #(.WIDTH(LBITS)) lengths (
        .clk, .rst, .in_data(in1_data), .in_valid(in1_valid), .in_ready(in1_ready),
        .out_data(length), .out_valid(busy), .out_ready(frame_end));
    assign x_on      = 32'(sf) < SX;
    assign h_on      = 32'(sf) + SR >= SF;
    assign in0_ready = en && busy && !resting && first_nf && x_on;
    assign slot      = busy && !resting && (in0_valid || !first_nf || !x_on);
    assign step      = en && slot;
    assign over      = last_sf && last_nf && last_context;
    assign ends      = t == length - 1'b1;
    assign frame_end = round_end && ends;
    lutra_count #(.N(SF)) slots (.clk, .rst, .step, .last(last_sf));
    lutra_count #(.N(NF)) neurons (.clk, .rst, .step(step && last_sf), .last(last_nf));
    lutra_count #(.N(CONTEXTS)) contexts (.clk, .rst, .step(step && last_sf && last_nf), .last(last_context));
    always_ff @(posedge clk)
        if (rst) begin
            sf       <= '0;
            first_nf <= 1'b1;
            t        <= '0;
        end else begin
            if (step) sf <= last_sf ? '0 : sf + 1'b1;
            if (step && last_sf) first_nf <= last_nf;
            if (round_end) t <= ends ? '0 : t + 1'b1;
        end
    generate
        if (REST == 0) begin : g_on
            assign resting   = 1'b0;
            assign rested    = 1'b1;
            assign round_end = step && over;
        end else begin : g_rest
            lutra_count #(.N(REST)) rests (.clk, .rst, .step(en && resting), .last(rested));
            always_ff @(posedge clk)
                if (rst) resting <= 1'b0;
                else if (en) resting <= resting ? !rested : slot && over;
            assign round_end = en && resting && rested;
        end
    endgenerate

    // What goes with the data: bit i is i + 1 registers after the slot.
    logic [D-1:0] valid_d, first_d, last_d, initial_d, final_d;
    always_ff @(posedge clk) begin
        if (rst) valid_d <= '0;
        else if (en) valid_d <= D'({valid_d, slot});
        if (rst) last_d <= '0;
        else if (en) last_d <= D'({last_d, slot && last_sf});
        if (en) begin
            first_d   <= D'({first_d, sf == '0});
            initial_d <= D'({initial_d, t == '0});
            final_d   <= D'({final_d, over && ends});
        end
        if (rst) done <= 1'b0;
        else if (en) done <= last_d[D-1];
        if (en) final_done <= final_d[D-1];
    end
    assign soon = last_d[D-2];
    assign initial_soon = initial_d[D-1];

    // Products of the column.
    localparam int XW = SX > 1 ? $clog2(SX) : 1;
    logic [SIMD*XBITS-1:0] x;
    logic [PE*GATES*ABITS-1:0] of_x, of_h;
    lutra_replay #(.WIDTH(SIMD * XBITS), .NF(NF), .SF(SX), .SW(XW)) replay (
        .clk, .en, .write(first_nf && x_on), .index(XW'(sf)), .in_data(in0_data), .out_data(x));
    lutra_recurrent_products #(
        .ROWS(PE * GATES), .SIMD(SIMD), .WORDS(DIRECTIONS * NF * SX), .XBITS(XBITS), .XSIGNED(XSIGNED), .SCALE(XSCALE),
        .WBITS(XWBITS), .WSIGNED(XWSIGNED), .BIPOLAR(XBIPOLAR), .FORM(XFORM), .BLOCK(XBLOCK), .ABITS(ABITS),
        .LATE(D - XDEPTH), .D(D), .ALWAYS(SX == SF ? 1 : 0), .WEIGHTS(WX)
    ) columns (.clk, .rst, .en, .step(step && x_on), .on(x_on), .x, .out_data(of_x));

    // Products of h: of zeros in the first step of a sequence.
    logic [SIMD_R*HBITS-1:0] past;
    lutra_recurrent_store #(
        .PE(PE), .SIMD(SIMD_R), .HBITS(HBITS), .TOGETHER(TOGETHER), .ROWS(PE * NF / TOGETHER), .CONTEXTS(CONTEXTS),
        .BLOCK(STATE_BLOCK)
    ) states (.clk, .rst, .en, .step(step && h_on), .sum_end(last_sf), .step_end(last_sf && last_nf), .store, .h, .past);
    lutra_recurrent_products #(
        .ROWS(PE * GATES), .SIMD(SIMD_R), .WORDS(DIRECTIONS * NF * SR), .XBITS(HBITS), .XSIGNED(HSIGNED), .SCALE(HSCALE),
        .WBITS(HWBITS), .WSIGNED(HWSIGNED), .BIPOLAR(HBIPOLAR), .FORM(HFORM), .BLOCK(HBLOCK), .ABITS(ABITS),
        .LATE(D - HDEPTH), .D(D), .ALWAYS(SR == SF ? 1 : 0), .WEIGHTS(WH)
    ) recurrent (
        .clk, .rst, .en, .step(step && h_on), .on(h_on), .x(past & {SIMD_R * HBITS{!initial_d[1]}}), .out_data(of_h));

    // Sums, from the bias on.
    localparam int WORDS = DIRECTIONS * NF;
    localparam int BW = WORDS > 1 ? $clog2(WORDS) : 1;
    logic [BW-1:0] place;  // of the sums that come next
    logic [PE*SUMS*ABITS-1:0] bias;
    always_ff @(posedge clk)
        if (rst) place <= '0;
        else if (en && last_d[D-2]) place <= (place == BW'(WORDS - 1)) ? '0 : place + 1'b1;
    lutra_rom #(.WIDTH(PE * SUMS * ABITS), .DEPTH(WORDS), .BLOCK(0), .FILE(BIAS)) rows (
        .clk, .en, .index(place), .out_data(bias));
    generate
        for (genvar p = 0; p < PE; p++) begin : g_neuron
            for (genvar s = 0; s < SUMS; s++) begin : g_sum
                localparam int AT = (p * SUMS + s) * ABITS;
                logic [ABITS-1:0] start, own, other;
                assign start = SF == 1 || first_d[D-1] ? bias[AT+:ABITS] : sums[AT+:ABITS];
                if (s < GATES) begin : g_column
                    assign own = of_x[(p*GATES+s)*ABITS+:ABITS];
                end else begin : g_past
                    assign own = '0;
                end
                if (SPLIT == 0 || s < GATES - 1) begin : g_both
                    assign other = of_h[(p*GATES+s)*ABITS+:ABITS];
                end else if (s == GATES) begin : g_alone
                    assign other = of_h[(p*GATES+s-1)*ABITS+:ABITS];
                end else begin : g_none
                    assign other = '0;
                end
                always_ff @(posedge clk) if (en && valid_d[D-1]) sums[AT+:ABITS] <= start + own + other;
            end
        end
    endgenerate
endmodule

// Products of ROWS rows of a matrix, WORDS words in turn, one more in each `step`, with x, which comes two registers after
// its step. Those of a slot that is not `on` are 0.
module lutra_recurrent_products #(
    parameter int ROWS = 1,
    parameter int SIMD = 1,
    parameter int WORDS = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int SCALE = 1,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,
    parameter int FORM = 0,
    parameter int BLOCK = 0,
    parameter int ABITS = 1,
    parameter int LATE = 0,  // registers behind the products
    parameter int D = 3,  // registers from the step to the result
    parameter int ALWAYS = 1,  // every slot is on
    parameter WEIGHTS = ""
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic                  en,
    input  logic                  step,
    input  logic                  on,
    input  logic [SIMD*XBITS-1:0] x,
    output logic [ROWS*ABITS-1:0] out_data
);
    localparam int TW = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam int AT = BIPOLAR != 0 || FORM == 1 ? 3 : 2;
    logic [TW-1:0] tile, tile_d;
    logic [ROWS*SIMD*WBITS-1:0] w;
    logic [ROWS*ABITS-1:0] dots, aligned;
    always_ff @(posedge clk)
        if (rst) tile <= '0;
        else if (step) tile <= (tile == TW'(WORDS - 1)) ? '0 : tile + 1'b1;
    lutra_delay #(.N(AT - (BLOCK != 0 ? 2 : 1)), .W(TW)) follow (.clk, .en, .in_data(tile), .out_data(tile_d));
    lutra_rom #(.WIDTH(ROWS * SIMD * WBITS), .DEPTH(WORDS), .BLOCK(BLOCK), .HELD(BLOCK), .FILE(WEIGHTS)) weights (
        .clk, .en, .index(tile_d), .out_data(w));
    lutra_dots #(
        .PE(ROWS), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED), .BIPOLAR(BIPOLAR),
        .FORM(FORM), .SCALE(SCALE), .OBITS(ABITS)
    ) products (.clk, .en, .x, .w, .out_data(dots));
    lutra_delay #(.N(LATE), .W(ROWS * ABITS)) align (.clk, .en, .in_data(dots), .out_data(aligned));
    generate
        if (ALWAYS != 0) begin : g_always
            assign out_data = aligned;
            wire unused = &{1'b0, on};
        end else begin : g_masked
            logic on_d;
            lutra_delay #(.N(D), .W(1)) mask (.clk, .en, .in_data(on), .out_data(on_d));
            assign out_data = aligned & {ROWS * ABITS{on_d}};
        end
    endgenerate
endmodule

// h of all contexts, twice: what this round makes, and what the one before made. A row holds the neurons of whole words of
// either side; each of the words of PE neurons in it has a memory of its own.
module lutra_recurrent_store #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int HBITS = 1,
    parameter int TOGETHER = 1,  // neurons of a row
    parameter int ROWS = 1,  // of a context
    parameter int CONTEXTS = 1,
    parameter int BLOCK = 0
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic                  en,
    input  logic                  step,  // a word of `past` is due, two registers later
    input  logic                  sum_end,
    input  logic                  step_end,
    input  logic                  store,
    input  logic [  PE*HBITS-1:0] h,
    output logic [SIMD*HBITS-1:0] past
);
    localparam int DEPTH = 2 * CONTEXTS * ROWS;
    localparam int AW = $clog2(DEPTH);
    localparam int BANKS = TOGETHER / PE;
    localparam int GROUPS = TOGETHER / SIMD;
    localparam int BW = BANKS > 1 ? $clog2(BANKS) : 1;
    localparam int GW = GROUPS > 1 ? $clog2(GROUPS) : 1;

    logic [AW-1:0] base, row, raddr, waddr;  // base: of the context
    logic [GW-1:0] group, group_d, group_dd;
    logic [BW-1:0] bank;
    logic last_group, last_bank;
    assign last_group = group == GW'(GROUPS - 1);
    assign last_bank  = bank == BW'(BANKS - 1);
    always_ff @(posedge clk) begin
        if (rst) begin
            base  <= AW'(CONTEXTS * ROWS);
            row   <= '0;
            group <= '0;
        end else if (step) begin
            group <= last_group ? '0 : group + 1'b1;
            if (sum_end) row <= '0;
            else if (last_group) row <= row + 1'b1;
            if (step_end) base <= base == AW'(DEPTH - ROWS) ? '0 : base + AW'(ROWS);
        end
        if (rst) begin
            waddr <= '0;
            bank  <= '0;
        end else if (en && store) begin
            bank <= last_bank ? '0 : bank + 1'b1;
            if (last_bank) waddr <= waddr == AW'(DEPTH - 1) ? '0 : waddr + 1'b1;
        end
        if (en) begin
            raddr    <= base + row;
            group_d  <= group;
            group_dd <= group_d;
        end
    end

    logic [TOGETHER*HBITS-1:0] fetched;
    generate
        for (genvar b = 0; b < BANKS; b++) begin : g_bank
            lutra_ram #(.WIDTH(PE * HBITS), .DEPTH(DEPTH), .BLOCK(BLOCK)) memory (
                .clk, .write(en && store && bank == BW'(b)), .waddr, .in_data(h), .fetch(en), .raddr,
                .fetched(fetched[b*PE*HBITS+:PE*HBITS]));
        end
    endgenerate
    assign past = fetched[group_dd*SIMD*HBITS+:SIMD*HBITS];
endmodule

// A memory of DEPTH words, of which there may be one: `fetched` is the word at `raddr` in the cycle before.
module lutra_recurrent_words #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1,
    parameter int BLOCK = 0,
    parameter int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic             clk,
    input  logic             write,
    input  logic [   AW-1:0] waddr,
    input  logic [WIDTH-1:0] in_data,
    input  logic             fetch,
    input  logic [   AW-1:0] raddr,
    output logic [WIDTH-1:0] fetched
);
    generate
        if (DEPTH > 1) begin : g_many
            lutra_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(BLOCK)) memory (.*);
        end else begin : g_one
            logic [WIDTH-1:0] word;
            wire unused = &{1'b0, waddr, raddr};
            always_ff @(posedge clk) begin
                if (write) word <= in_data;
                if (fetch) fetched <= word;
            end
        end
    endgenerate
endmodule

// An entry of a table for what the overflow of a rounded number leaves (`kept`), cast to the table's address. One register.
module lutra_recurrent_lookup #(
    parameter int QBITS = 2,
    parameter int WIDTH = 1,
    parameter int SIGNED = 0,
    parameter int OVERFLOW = 0,
    parameter int INDEX_SHIFT = 0,
    parameter int INDEX_QBITS = 2,
    parameter int INDEX_BITS = 1,
    parameter int INDEX_SIGNED = 0,
    parameter int INDEX_ROUNDING = 0,
    parameter int INDEX_OVERFLOW = 0,
    parameter int OBITS = 1,
    parameter int BLOCK = 0,
    parameter TABLE = ""
) (
    input  logic                    clk,
    input  logic                    en,
    input  logic signed [QBITS-1:0] quotient,
    input  logic                    above,
    output logic        [WIDTH-1:0] kept,
    output logic        [OBITS-1:0] out_data
);
    logic signed [INDEX_QBITS-1:0] place;
    logic place_above;
    logic [INDEX_BITS-1:0] index;
    lutra_overflowed #(.QBITS(QBITS), .WIDTH(WIDTH), .SIGNED(SIGNED), .OVERFLOW(OVERFLOW)) value (
        .quotient, .above, .kept);
    lutra_rounded #(
        .XBITS(WIDTH), .XSIGNED(SIGNED), .SHIFT(INDEX_SHIFT), .QBITS(INDEX_QBITS), .WIDTH(INDEX_BITS),
        .ROUNDING(INDEX_ROUNDING)
    ) rounded (.x(kept), .quotient(place), .above(place_above));
    lutra_overflowed #(.QBITS(INDEX_QBITS), .WIDTH(INDEX_BITS), .SIGNED(INDEX_SIGNED), .OVERFLOW(INDEX_OVERFLOW)) cut (
        .quotient(place), .above(place_above), .kept(index));
    lutra_rom #(.WIDTH(OBITS), .DEPTH(1 << INDEX_BITS), .BLOCK(BLOCK), .FILE(TABLE)) entries (
        .clk, .en, .index, .out_data);
endmodule
