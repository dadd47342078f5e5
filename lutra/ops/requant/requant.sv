// A change of binary point for PE channels a cycle: x / 2**SHIFT, rounded, in a type of WIDTH bits. ROUNDING and OVERFLOW
// count the modes in the order of `lutra.ops.requant.modes`; both are what `ap_fixed` does. No multiplier.
// Stages: x; the rounded quotient; the slice, after what leaves the type is dealt with.
module lutra_requant #(
    parameter int PE = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int SHIFT = 0,  // negative: to the left
    parameter int QBITS = 2,  // of the rounded quotient, two's complement, more than WIDTH
    parameter int WIDTH = 1,
    parameter int SIGNED = 0,
    parameter int ROUNDING = 0,
    parameter int OVERFLOW = 0,
    parameter int OBITS = 1
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
    localparam int RIGHT = SHIFT > 0 ? SHIFT : 0;
    localparam int LEFT = SHIFT < 0 ? -SHIFT : 0;
    localparam int TBITS = RIGHT + (QBITS > XBITS + LEFT ? QBITS : XBITS + LEFT + 1);  // of x with all its bits
    localparam logic [WIDTH-1:0] LOW = SIGNED != 0 ? WIDTH'(1) << (WIDTH - 1) : '0;
    logic en;
    logic [1:0] valid_d;
    logic [PE*XBITS-1:0] x;
    logic [PE*OBITS-1:0] code;
    assign in_ready = en;
    always_ff @(posedge clk) begin
        if (rst) valid_d <= '0;
        else if (en) valid_d <= {valid_d[0], in_valid};
        if (en) x <= in_data;
    end

    generate
        for (genvar p = 0; p < PE; p++) begin : g_channel
            logic signed [TBITS-1:0] wide;
            logic signed [QBITS-1:0] floor, quotient;
            logic up, above;  // above: the bit over the type's, before rounding
            assign wide = TBITS'({{TBITS{XSIGNED != 0 && x[p*XBITS+XBITS-1]}}, x[p*XBITS+:XBITS]} << LEFT);
            assign floor = QBITS'(wide >>> RIGHT);
            if (RIGHT == 0 || ROUNDING == 0) begin : g_down
                assign up = 1'b0;
            end else begin : g_up
                logic half, rest, negative;
                assign half = wide[RIGHT-1];
                if (RIGHT == 1) begin : g_none
                    assign rest = 1'b0;
                end else begin : g_rest
                    assign rest = |wide[RIGHT-2:0];
                end
                assign negative = wide[TBITS-1];
                assign up = ROUNDING == 1 ? negative && (half || rest)
                          : ROUNDING == 2 ? half
                          : ROUNDING == 3 ? half && (rest || negative)
                          : ROUNDING == 4 ? half && rest
                          : ROUNDING == 5 ? half && (rest || !negative)
                          : half && (rest || floor[0]);
            end
            always_ff @(posedge clk)
                if (en) begin
                    quotient <= floor + QBITS'({1'b0, up});
                    above    <= floor[WIDTH];
                end

            // The type is left where a bit above it differs from its sign, or, unsigned, is set.
            localparam int TOP = SIGNED != 0 ? WIDTH - 1 : WIDTH;
            wire below = quotient[QBITS-1];
            wire outside = quotient[QBITS-1:TOP] != {(QBITS - TOP) {SIGNED != 0 && below}};
            wire least = SIGNED != 0 && OVERFLOW == 3 && quotient[WIDTH-1:0] == LOW;  // no number of the symmetric part
            wire unused = &{1'b0, wide, above, quotient, below, outside, least};
            logic [WIDTH-1:0] kept;
            if (OVERFLOW == 0) begin : g_wrap
                assign kept = quotient[WIDTH-1:0];
            end else if (OVERFLOW == 4) begin : g_sign
                assign kept = quotient[WIDTH-1:0] ^ {WIDTH{outside && above != quotient[WIDTH-1]}};
            end else if (OVERFLOW == 2) begin : g_zero
                assign kept = quotient[WIDTH-1:0] & {WIDTH{!outside}};
            end else begin : g_saturate
                wire [WIDTH-1:0] end_of = below ? LOW : ~LOW;
                assign kept = (outside ? end_of : quotient[WIDTH-1:0])
                            ^ WIDTH'(OVERFLOW == 3 && SIGNED != 0 && (outside ? below : least));
            end
            assign code[p*OBITS+:OBITS] = OBITS'(kept);
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * OBITS)) slice (
        .clk, .rst, .in_data(code), .in_valid(valid_d[1]), .in_ready(en), .out_data, .out_valid, .out_ready);
endmodule
