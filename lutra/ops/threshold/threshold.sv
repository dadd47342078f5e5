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

    // Stage j reads what stage j - 1 found: j bits a channel, and the input and nf, as old as these.
    logic [PE*TBITS-1:0] x[K+1];
    logic [NW-1:0] n[K+1];
    logic [PE*K-1:0] found[K+1];
    generate
        for (genvar p = 0; p < PE; p++) begin : g_widen
            logic [XBITS-1:0] code;
            assign code = in_data[p*XBITS+:XBITS] ^ (XSIGNED != 0 ? XBITS'(1) << (XBITS - 1) : '0);
            assign x[0][p*TBITS+:TBITS] = TBITS'(code);
        end
    endgenerate
    assign n[0]     = nf;
    assign found[0] = '0;

    logic [PE*TBITS-1:0] top;
    lutra_rom #(.WIDTH(PE * TBITS), .DEPTH(NF), .FILE(T0)) first (
        .clk, .en(fetch), .index(index), .out_data(top));
    lutra_reach #(.PE(PE), .TBITS(TBITS), .K(K), .NW(NW)) compare (
        .clk, .en, .x(x[0]), .n(n[0]), .found(found[0]), .threshold(top),
        .x_out(x[1]), .n_out(n[1]), .found_out(found[1]));

    `define LUTRA_STAGE(J) \
    if (K > J) begin : g_stage``J \
        lutra_search #(.PE(PE), .TBITS(TBITS), .K(K), .NF(NF), .NW(NW), .J(J), .FILE(T``J)) stage ( \
            .clk, .en, .x(x[J]), .n(n[J]), .found(found[J]), \
            .x_out(x[J+1]), .n_out(n[J+1]), .found_out(found[J+1])); \
    end
    generate
        `LUTRA_STAGE(1)
        `LUTRA_STAGE(2)
        `LUTRA_STAGE(3)
        `LUTRA_STAGE(4)
        `LUTRA_STAGE(5)
        `LUTRA_STAGE(6)
        `LUTRA_STAGE(7)
        `LUTRA_STAGE(8)
        `LUTRA_STAGE(9)
    endgenerate
    `undef LUTRA_STAGE

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
            assign count = found[K][p*K+:K] ^ {K{flip[p]}};
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
    input  logic [NW-1:0]       n,
    input  logic [PE*K-1:0]     found,
    input  logic [PE*TBITS-1:0] threshold,
    output logic [PE*TBITS-1:0] x_out,
    output logic [NW-1:0]       n_out,
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
            n_out     <= n;
            found_out <= more;
        end
endmodule

// A stage whose thresholds depend on the J bits found so far: a register after reading, a register after comparing.
module lutra_search #(
    parameter int PE = 1,
    parameter int TBITS = 1,
    parameter int K = 2,
    parameter int NF = 1,
    parameter int NW = 1,
    parameter int J = 1,
    parameter FILE = ""
) (
    input  logic                clk,
    input  logic                en,
    input  logic [PE*TBITS-1:0] x,
    input  logic [NW-1:0]       n,
    input  logic [PE*K-1:0]     found,
    output logic [PE*TBITS-1:0] x_out,
    output logic [NW-1:0]       n_out,
    output logic [PE*K-1:0]     found_out
);
    localparam int AW = $clog2(NF << J);
    (* rom_style = "distributed", ram_style = "distributed" *) logic [PE*TBITS-1:0] words[NF << J];
    initial $readmemh(FILE, words);
    logic [PE*TBITS-1:0] threshold, x_d;
    logic [NW-1:0] n_d;
    logic [PE*K-1:0] found_d;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_channel
            logic [AW-1:0] node;
            logic [PE*TBITS-1:0] row;
            assign node = AW'({n, found[p*K+:J]});
            assign row  = words[node];
            always_ff @(posedge clk) if (en) threshold[p*TBITS+:TBITS] <= row[p*TBITS+:TBITS];
        end
    endgenerate
    always_ff @(posedge clk)
        if (en) begin
            x_d     <= x;
            n_d     <= n;
            found_d <= found;
        end
    lutra_reach #(.PE(PE), .TBITS(TBITS), .K(K), .NW(NW)) compare (
        .clk, .en, .x(x_d), .n(n_d), .found(found_d), .threshold, .x_out, .n_out, .found_out);
endmodule
