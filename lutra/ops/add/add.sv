// y = mul0 * x0 + mul1 * x1 for PE channels a cycle, in codes; BIAS makes up for what those leave out. A factor is a
// shift and, unless it is 1 or -1, an odd constant of each channel. Stages: a slice for each input; factors; the
// products' rows; the sum; BIAS.
module lutra_add #(
    parameter int PE = 1,
    parameter int NF = 1,  // words in which the channels come; 1 where all channels have the same constants
    parameter int OBITS = 1,
    parameter int EXACT = 0,  // products are exact: BIAS makes up for nothing of them
    parameter int BIASED = 0,
    parameter int X0BITS = 1,
    parameter int X0SIGNED = 0,
    parameter int M0BITS = 0,  // 0: the factor is a shift
    parameter int M0SIGNED = 0,
    parameter int SHIFT0 = 0,
    parameter int LESS0 = 0,  // subtracted
    parameter int X1BITS = 1,
    parameter int X1SIGNED = 0,
    parameter int M1BITS = 0,
    parameter int M1SIGNED = 0,
    parameter int SHIFT1 = 0,
    parameter int LESS1 = 0,
    parameter MUL0 = "",  // NF words of PE factors
    parameter MUL1 = "",
    parameter BIAS = ""  // NF words of PE addends of OBITS
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [PE*X0BITS-1:0] in0_data,
    input  logic                 in0_valid,
    output logic                 in0_ready,
    input  logic [PE*X1BITS-1:0] in1_data,
    input  logic                 in1_valid,
    output logic                 in1_ready,
    output logic [PE*OBITS-1:0]  out_data,
    output logic                 out_valid,
    input  logic                 out_ready
);
    localparam int R0 = M0BITS == 0 ? 0 : (M0BITS + (M0SIGNED == 0 ? 1 : 0) + 1) / 2;
    localparam int R1 = M1BITS == 0 ? 0 : (M1BITS + (M1SIGNED == 0 ? 1 : 0) + 1) / 2;
    localparam int R = R0 > R1 ? R0 : R1;
    localparam int D = 2 + R + (BIASED != 0 ? 1 : 0);
    localparam int NW = NF > 1 ? $clog2(NF) : 1;
    logic en, pair;
    logic [PE*X0BITS-1:0] x0;
    logic [PE*X1BITS-1:0] x1;
    lutra_join #(.WIDTH0(PE * X0BITS), .WIDTH1(PE * X1BITS)) inputs (.out_valid(pair), .out_ready(en), .*);

    logic [D-1:0] valid_d;
    logic [D:0] valid;
    logic [NW-1:0] nf, nf_d;
    assign valid     = {valid_d, pair};
    assign out_valid = valid_d[D-1];
    assign en        = !out_valid || out_ready;
    always_ff @(posedge clk) begin
        if (rst) valid_d <= '0;
        else if (en) valid_d <= valid[D-1:0];
        if (rst) nf <= '0;
        else if (en && pair) nf <= (nf == NW'(NF - 1)) ? '0 : nf + 1'b1;
    end
    lutra_delay #(.N(R + 1), .W(NW)) follow (.clk, .en, .in_data(nf), .out_data(nf_d));

    logic [PE*OBITS-1:0] term0, term1, sum;
    lutra_term #(
        .PE(PE), .NF(NF), .NW(NW), .OBITS(OBITS), .EXACT(EXACT), .XBITS(X0BITS), .XSIGNED(X0SIGNED), .MBITS(M0BITS),
        .MSIGNED(M0SIGNED), .SHIFT(SHIFT0), .LATE(R - R0), .MUL(MUL0)
    ) first (.clk, .en, .index(nf), .in_data(x0), .out_data(term0));
    lutra_term #(
        .PE(PE), .NF(NF), .NW(NW), .OBITS(OBITS), .EXACT(EXACT), .XBITS(X1BITS), .XSIGNED(X1SIGNED), .MBITS(M1BITS),
        .MSIGNED(M1SIGNED), .SHIFT(SHIFT1), .LATE(R - R1), .MUL(MUL1)
    ) second (.clk, .en, .index(nf), .in_data(x1), .out_data(term1));
    generate
        for (genvar p = 0; p < PE; p++) begin : g_sum
            logic [OBITS-1:0] a, b;
            assign a = term0[p*OBITS+:OBITS];
            assign b = term1[p*OBITS+:OBITS];
            always_ff @(posedge clk)
                if (en) sum[p*OBITS+:OBITS] <= (LESS0 != 0) ? b - a : (LESS1 != 0) ? a - b : a + b;
        end
        if (BIASED != 0) begin : g_bias
            logic [PE*OBITS-1:0] bias;
            lutra_rom #(.WIDTH(PE * OBITS), .DEPTH(NF), .FILE(BIAS)) addends (
                .clk, .en, .index(nf_d), .out_data(bias));
            for (genvar p = 0; p < PE; p++) begin : g_channel
                always_ff @(posedge clk)
                    if (en) out_data[p*OBITS+:OBITS] <= sum[p*OBITS+:OBITS] + bias[p*OBITS+:OBITS];
            end
        end else begin : g_plain
            assign out_data = sum;
            logic unused_index;
            assign unused_index = &{1'b0, nf_d};
        end
    endgenerate
endmodule

// mul * x * 2**SHIFT of PE channels, modulo 2**OBITS. Latency 1 + the rows of the product + LATE.
module lutra_term #(
    parameter int PE = 1,
    parameter int NF = 1,
    parameter int NW = 1,
    parameter int OBITS = 1,
    parameter int EXACT = 0,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int MBITS = 0,
    parameter int MSIGNED = 0,
    parameter int SHIFT = 0,
    parameter int LATE = 0,
    parameter MUL = ""
) (
    input  logic                clk,
    input  logic                en,
    input  logic [NW-1:0]       index,
    input  logic [PE*XBITS-1:0] in_data,
    output logic [PE*OBITS-1:0] out_data
);
    localparam int R = (MBITS + (MSIGNED == 0 ? 1 : 0) + 1) / 2;  // rows of the product
    localparam int PW = MBITS == 0 ? XBITS + 1 : XBITS + (XSIGNED == 0 ? 1 : 0) + 2 * R;
    logic [PE*XBITS-1:0] x;
    lutra_delay #(.N(1 + LATE), .W(PE * XBITS)) hold (.clk, .en, .in_data, .out_data(x));
    logic [PE*PW-1:0] product;  // two's complement
    generate
        if (MBITS == 0) begin : g_one
            logic unused_index;
            assign unused_index = &{1'b0, index};
            for (genvar p = 0; p < PE; p++) begin : g_channel
                assign product[p*PW+:PW] = {(XSIGNED != 0) && x[p*XBITS+XBITS-1], x[p*XBITS+:XBITS]};
            end
        end else begin : g_multiply
            logic [PE*MBITS-1:0] mul;
            logic [NW-1:0] place;
            lutra_delay #(.N(LATE), .W(NW)) follow (.clk, .en, .in_data(index), .out_data(place));
            lutra_rom #(.WIDTH(PE * MBITS), .DEPTH(NF), .FILE(MUL)) factors (
                .clk, .en, .index(place), .out_data(mul));
            for (genvar p = 0; p < PE; p++) begin : g_channel
                lutra_times #(
                    .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(MBITS), .WSIGNED(MSIGNED), .EXACT(EXACT)
                ) times (.clk, .en, .x(x[p*XBITS+:XBITS]), .w(mul[p*MBITS+:MBITS]), .out_data(product[p*PW+:PW]));
            end
        end
        for (genvar p = 0; p < PE; p++) begin : g_shift
            logic [OBITS+PW-1:0] wide;
            logic unused_bits;
            assign unused_bits = &{1'b0, wide};
            assign wide = {{OBITS{product[p*PW+PW-1]}}, product[p*PW+:PW]};
            assign out_data[p*OBITS+:OBITS] = OBITS'(wide << SHIFT);
        end
    endgenerate
endmodule
