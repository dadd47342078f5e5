// A change of binary point in two parts, each without a register. ROUNDING and OVERFLOW count the modes in the order of
// `lutra.ops.requant.modes`; both are what `ap_fixed` does.

// x / 2**SHIFT, rounded.
module lutra_rounded #(
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int SHIFT = 0,  // negative: to the left
    parameter int QBITS = 2,  // of the quotient, two's complement, more than WIDTH
    parameter int WIDTH = 1,  // of the type
    parameter int ROUNDING = 0
) (
    input  logic        [XBITS-1:0] x,
    output logic signed [QBITS-1:0] quotient,
    output logic                    above  // the bit over the type's, before rounding
);
    localparam int RIGHT = SHIFT > 0 ? SHIFT : 0;
    localparam int LEFT = SHIFT < 0 ? -SHIFT : 0;
    localparam int TBITS = RIGHT + (QBITS > XBITS + LEFT ? QBITS : XBITS + LEFT + 1);  // of x with all its bits
    logic signed [TBITS-1:0] wide;
    logic signed [QBITS-1:0] floor;
    logic up;
    assign wide = TBITS'({{TBITS{XSIGNED != 0 && x[XBITS-1]}}, x} << LEFT);
    assign floor = QBITS'(wide >>> RIGHT);
    generate
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
    endgenerate
    assign quotient = floor + QBITS'({1'b0, up});
    assign above    = floor[WIDTH];
    wire unused = &{1'b0, wide};
endmodule

// What the type makes of a rounded quotient.
module lutra_overflowed #(
    parameter int QBITS = 2,
    parameter int WIDTH = 1,
    parameter int SIGNED = 0,
    parameter int OVERFLOW = 0
) (
    input  logic signed [QBITS-1:0] quotient,
    input  logic                    above,
    output logic        [WIDTH-1:0] kept
);
    localparam logic [WIDTH-1:0] LOW = SIGNED != 0 ? WIDTH'(1) << (WIDTH - 1) : '0;
    // The type is left where a bit above it differs from its sign, or, unsigned, is set.
    localparam int TOP = SIGNED != 0 ? WIDTH - 1 : WIDTH;
    wire below = quotient[QBITS-1];
    wire outside = quotient[QBITS-1:TOP] != {(QBITS - TOP) {SIGNED != 0 && below}};
    wire least = SIGNED != 0 && OVERFLOW == 3 && quotient[WIDTH-1:0] == LOW;  // no number of the symmetric part
    wire unused = &{1'b0, above, quotient, below, outside, least};
    generate
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
    endgenerate
endmodule
