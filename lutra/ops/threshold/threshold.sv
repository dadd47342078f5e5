// For each of PE channels, how many of its 2**K - 1 sorted thresholds the input reaches: a binary search, one
// threshold compared in a stage. Codes of x are compared as unsigned numbers (the sign bit inverted, as in the memories).
// The first threshold depends on the channel alone and is fetched before the word comes; a later stage reads, then
// compares. One word a cycle; `en` moves the pipeline and is a register of the slice at the end.
module lutra_threshold #(
    parameter int PE = 1,
    parameter int NF = 1,  // words in which the channels come; 1 where all channels have the same thresholds
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int TBITS = 1,  // of a threshold: XBITS, or one more
    parameter int K = 1,
    parameter int FLIPPED = 0,  // some rows fall: FLIP says which, their count is complemented
    parameter int OFFSET = 0,  // what count 0 is as a code
    parameter int OBITS = 1,
    parameter FLIP = "",  // NF words of PE bits
    parameter T0 = "",  // Tj: NF << j words of PE thresholds, index nf and then the j bits found so far
    parameter T1 = "",
    parameter T2 = "",
    parameter T3 = "",
    parameter T4 = "",
    parameter T5 = "",
    parameter T6 = "",
    parameter T7 = "",
    parameter T8 = "",
    parameter T9 = ""
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [PE*XBITS-1:0] in_data,
    input  logic                in_valid,
    output logic                in_ready,
    output logic [PE*OBITS-1:0] out_data,
    output logic                out_valid,
    input  logic                out_ready
);
    localparam int NW = NF > 1 ? $clog2(NF) : 1;
    localparam int D = 2 * K - 1;  // registers from a word's taking to its count

    // The first threshold of the word to come stands ready: reset fetches it, and each word's taking the next one's.
    logic en, take, fetch;
    logic [NW-1:0] nf, next, index;
    assign in_ready = en;
    assign take     = en && in_valid;
    assign fetch    = take || rst;
    assign index    = rst ? '0 : next;
    always_ff @(posedge clk)
        if (rst) begin
            nf   <= '0;
            next <= NW'(NF > 1 ? 1 : 0);
        end else if (take) begin
            nf   <= next;
            next <= (next == NW'(NF - 1)) ? '0 : next + 1'b1;
        end

    logic [D-1:0] valid_d;
    always_ff @(posedge clk)
        if (rst) valid_d <= '0;
        else if (en) valid_d <= D'({valid_d, in_valid});

    logic [PE*TBITS-1:0] x, x_d, threshold;
    logic [NW-1:0] nf_d;
    logic [PE*K-1:0] top, found;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_widen
            logic [XBITS-1:0] code;
            assign code = in_data[p*XBITS+:XBITS] ^ (XSIGNED != 0 ? XBITS'(1) << (XBITS - 1) : '0);
            assign x[p*TBITS+:TBITS] = TBITS'(code);
        end
    endgenerate
    lutra_rom #(.WIDTH(PE * TBITS), .DEPTH(NF), .FILE(T0)) first (
        .clk, .en(fetch), .index(index), .out_data(threshold));
    lutra_reach #(.PE(PE), .TBITS(TBITS), .K(K), .NW(NW)) compare (
        .clk, .en, .x(x), .nf(nf), .found('0), .threshold, .x_out(x_d), .nf_out(nf_d), .found_out(top));
    lutra_search #(
        .PE(PE), .TBITS(TBITS), .K(K), .NF(NF), .NW(NW), .J(1),
        .T1(T1), .T2(T2), .T3(T3), .T4(T4), .T5(T5), .T6(T6), .T7(T7), .T8(T8), .T9(T9)
    ) search (.clk, .en, .x(x_d), .nf(nf_d), .found(top), .found_out(found));

    logic [PE-1:0] flip;
    generate
        if (FLIPPED != 0) begin : g_flip
            logic [PE-1:0] falls;
            lutra_rom #(.WIDTH(PE), .DEPTH(NF), .FILE(FLIP)) rows (
                .clk, .en(fetch), .index(index), .out_data(falls));
            lutra_delay #(.N(D), .W(PE)) align (.clk, .en, .in_data(falls), .out_data(flip));
        end else begin : g_rising
            assign flip = '0;
        end
    endgenerate

    logic [PE*OBITS-1:0] code;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_code
            logic [K-1:0] count;
            assign count = found[p*K+:K] ^ {K{flip[p]}};
            assign code[p*OBITS+:OBITS] = OBITS'(count) + OBITS'(OFFSET);
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * OBITS)) slice (
        .clk, .rst, .in_data(code), .in_valid(valid_d[D-1]), .in_ready(en), .out_data, .out_valid, .out_ready);
endmodule

// One bit more of each channel's count: whether x reaches the threshold. A register follows.
module lutra_reach #(
    parameter int PE = 1,
    parameter int TBITS = 1,
    parameter int K = 1,
    parameter int NW = 1
) (
    input  logic                clk,
    input  logic                en,
    input  logic [PE*TBITS-1:0] x,
    input  logic [NW-1:0]       nf,
    input  logic [PE*K-1:0]     found,
    input  logic [PE*TBITS-1:0] threshold,
    output logic [PE*TBITS-1:0] x_out,
    output logic [NW-1:0]       nf_out,
    output logic [PE*K-1:0]     found_out
);
    logic [PE*K-1:0] more;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_channel
            assign more[p*K+:K] = K'({found[p*K+:K], x[p*TBITS+:TBITS] >= threshold[p*TBITS+:TBITS]});
        end
    endgenerate
    always_ff @(posedge clk)
        if (en) begin
            x_out     <= x;
            nf_out    <= nf;
            found_out <= more;
        end
endmodule

// The stages from J on; T1 is the first one's memory. Each depends on the J bits found so far: a register after
// reading, a register after comparing. Latency 2 * (K - J).
module lutra_search #(
    parameter int PE = 1,
    parameter int TBITS = 1,
    parameter int K = 1,
    parameter int NF = 1,
    parameter int NW = 1,
    parameter int J = 1,
    parameter T1 = "",
    parameter T2 = "",
    parameter T3 = "",
    parameter T4 = "",
    parameter T5 = "",
    parameter T6 = "",
    parameter T7 = "",
    parameter T8 = "",
    parameter T9 = ""
) (
    input  logic                clk,
    input  logic                en,
    input  logic [PE*TBITS-1:0] x,
    input  logic [NW-1:0]       nf,
    input  logic [PE*K-1:0]     found,
    output logic [PE*K-1:0]     found_out
);
    generate
        if (J == K) begin : g_end
            assign found_out = found;
            logic unused_inputs;
            assign unused_inputs = &{1'b0, clk, en, x, nf};
        end else begin : g_stage
            localparam int AW = $clog2(NF << J);
            logic [PE*TBITS-1:0] threshold, x_d, x_next;
            logic [NW-1:0] nf_d, nf_next;
            logic [PE*K-1:0] found_d, found_next;
            (* rom_block = "logic", rom_style = "distributed", syn_romstyle = "logic" *) logic [PE*TBITS-1:0] words[NF << J];
            initial $readmemh(T1, words);
            for (genvar p = 0; p < PE; p++) begin : g_channel
                logic [AW-1:0] node;
                assign node = AW'({nf, found[p*K+:J]});
                always_ff @(posedge clk) if (en) threshold[p*TBITS+:TBITS] <= words[node][p*TBITS+:TBITS];
            end
            always_ff @(posedge clk)
                if (en) begin
                    x_d     <= x;
                    nf_d    <= nf;
                    found_d <= found;
                end
            lutra_reach #(.PE(PE), .TBITS(TBITS), .K(K), .NW(NW)) compare (
                .clk, .en, .x(x_d), .nf(nf_d), .found(found_d), .threshold,
                .x_out(x_next), .nf_out(nf_next), .found_out(found_next));
            lutra_search #(
                .PE(PE), .TBITS(TBITS), .K(K), .NF(NF), .NW(NW), .J(J + 1),
                .T1(T2), .T2(T3), .T3(T4), .T4(T5), .T5(T6), .T6(T7), .T7(T8), .T8(T9)
            ) rest (.clk, .en, .x(x_next), .nf(nf_next), .found(found_next), .found_out(found_out));
        end
    endgenerate
endmodule
