// Dot products of PE rows of weights with SIMD codes of x, in one of five forms. w comes with x, or a register later (see
// there).
module lutra_dots #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,
    parameter int FORM = 0,  // 0 bit planes, 1 selecting adders, 2 multipliers, 3 two products in each, 4 shifts
    parameter int TERMS = 1,
    parameter int REACH = 1,
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [SIMD*XBITS-1:0]    x,
    input  logic [PE*SIMD*WBITS-1:0] w,
    output logic [PE*OBITS-1:0]      out_data
);
    generate
        if (FORM == 0) begin : g_planes
            lutra_planes #(
                .PE(PE), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED),
                .BIPOLAR(BIPOLAR), .SCALE(SCALE), .OBITS(OBITS)
            ) products (.clk, .en, .x, .w, .out_data);
        end else if (FORM == 1) begin : g_pairs
            lutra_pairs #(
                .PE(PE), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED),
                .SCALE(SCALE), .OBITS(OBITS)
            ) products (.clk, .en, .x, .w, .out_data);
        end else if (FORM == 4) begin : g_shifts
            lutra_shifts #(
                .PE(PE), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .TERMS(TERMS), .REACH(REACH),
                .SCALE(SCALE), .OBITS(OBITS)
            ) products (.clk, .en, .x, .w, .out_data);
        end else begin : g_multiply
            lutra_multiply #(
                .PE(PE), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED),
                .PACKED(FORM == 3 ? 1 : 0), .SCALE(SCALE), .OBITS(OBITS)
            ) products (.clk, .en, .x, .w, .out_data);
        end
    endgenerate
endmodule
