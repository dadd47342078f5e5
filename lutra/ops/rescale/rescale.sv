// y = clip(round((mul * x + add) / 2**SHIFT), LO, HI) for PE channels a cycle, rounding down, or half to even where
// EVEN. mul and add are constants of each channel; with MBITS = 0 mul is 1 and there is no multiplier.
// Stages: constants and x; the product (a weighed sum over mul's bits); the sum; rounding; the slice, after clipping.
module lutra_rescale #(
    parameter int PE = 1,
    parameter int NF = 1,  // words in which the channels come; 1 where all channels have the same constants
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int MBITS = 0,
    parameter int MSIGNED = 0,
    parameter int TBITS = 1,  // of mul * x + add, two's complement
    parameter int SHIFT = 0,
    parameter int EVEN = 0,
    parameter int CLIPPED = 0,
    parameter int LO = 0,
    parameter int HI = 0,
    parameter int OBITS = 1,
    parameter MUL = "",  // NF words of PE multipliers
    parameter ADD = ""  // NF words of PE addends of TBITS
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
    localparam int P = MBITS > 1 ? $clog2(MBITS) : 0;  // registers of the product
    localparam int D = 3 + P;
    localparam int QBITS = TBITS - SHIFT + 1;  // of the rounded quotient
    logic en;
    logic [NW-1:0] nf, nf_d;
    logic [D-1:0] valid_d;
    logic [PE*XBITS-1:0] x;
    assign in_ready = en;
    always_ff @(posedge clk) begin
        if (rst) nf <= '0;
        else if (en && in_valid) nf <= (nf == NW'(NF - 1)) ? '0 : nf + 1'b1;
        if (rst) valid_d <= '0;
        else if (en) valid_d <= D'({valid_d, in_valid});
        if (en) x <= in_data;
    end
    lutra_delay #(.N(P), .W(NW)) follow (.clk, .en, .in_data(nf), .out_data(nf_d));

    logic [PE*TBITS-1:0] add;
    lutra_rom #(.WIDTH(PE * TBITS), .DEPTH(NF), .FILE(ADD)) addends (
        .clk, .en, .index(nf_d), .out_data(add));

    logic [PE*TBITS-1:0] product;
    generate
        if (MBITS == 0) begin : g_one
            for (genvar p = 0; p < PE; p++) begin : g_channel
                logic [TBITS+XBITS-1:0] wide;
                logic unused_bits;
                assign unused_bits = &{1'b0, wide};
                assign wide = {{TBITS{XSIGNED != 0 && x[p*XBITS+XBITS-1]}}, x[p*XBITS+:XBITS]};
                assign product[p*TBITS+:TBITS] = TBITS'(wide);
            end
        end else begin : g_multiply
            logic [PE*MBITS-1:0] mul;
            lutra_rom #(.WIDTH(PE * MBITS), .DEPTH(NF), .FILE(MUL)) factors (
                .clk, .en, .index(nf), .out_data(mul));
            for (genvar p = 0; p < PE; p++) begin : g_channel
                logic [MBITS*XBITS-1:0] parts;
                for (genvar a = 0; a < MBITS; a++) begin : g_bit
                    assign parts[a*XBITS+:XBITS] = x[p*XBITS+:XBITS] & {XBITS{mul[p*MBITS+a]}};
                end
                logic [XBITS+MBITS-1:0] sum;
                lutra_weigh #(.P(MBITS), .W(XBITS), .SIGNED(XSIGNED), .NEGATIVE(MSIGNED)) weigh (
                    .clk, .en, .in_data(parts), .out_data(sum));
                logic [TBITS+XBITS+MBITS-1:0] wide;
                logic unused_bits;
                assign unused_bits = &{1'b0, wide};
                assign wide = {{TBITS{(XSIGNED != 0 || MSIGNED != 0) && sum[XBITS+MBITS-1]}}, sum};
                assign product[p*TBITS+:TBITS] = TBITS'(wide);
            end
        end
    endgenerate

    logic [PE*OBITS-1:0] code;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_round
            logic signed [TBITS-1:0] total;
            logic signed [QBITS-1:0] floor, quotient, clipped;
            logic up;
            always_ff @(posedge clk)
                if (en) begin
                    total    <= product[p*TBITS+:TBITS] + add[p*TBITS+:TBITS];
                    quotient <= floor + QBITS'({1'b0, up});
                end
            assign floor = QBITS'(total >>> SHIFT);
            if (EVEN == 0 || SHIFT == 0) begin : g_down
                assign up = 1'b0;
            end else if (SHIFT == 1) begin : g_half
                assign up = total[0] && floor[0];
            end else begin : g_even
                assign up = total[SHIFT-1] && (floor[0] || |total[SHIFT-2:0]);
            end
            assign clipped = quotient < QBITS'(LO) ? QBITS'(LO) : quotient > QBITS'(HI) ? QBITS'(HI) : quotient;
            assign code[p*OBITS+:OBITS] = OBITS'(CLIPPED != 0 ? clipped : quotient);
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * OBITS)) slice (
        .clk, .rst, .in_data(code), .in_valid(valid_d[D-1]), .in_ready(en), .out_data, .out_valid, .out_ready);
endmodule
