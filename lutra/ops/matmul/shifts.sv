// Dot products of PE rows of weights with SIMD codes of x, where a weight is a sum of TERMS signed powers of two: shifts
// and adders, no multiplier. A term of a weight is an exponent, above it a bit that says that it is subtracted, and one
// that says that it is there. What is subtracted is inverted; the ones that this leaves out are a constant of each row,
// which is added with its bias.
//
// A shift is in two parts, with a register between them: by the exponent modulo 4, and by the rest.
//
// w comes with x. Latency 2 + clog2(SIMD * TERMS).
module lutra_shifts #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,  // of a weight in memory
    parameter int TERMS = 1,
    parameter int REACH = 1,  // exponents are below this
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [SIMD*XBITS-1:0]    x,
    input  logic [PE*SIMD*WBITS-1:0] w,
    output logic [PE*OBITS-1:0]      out_data
);
    localparam int TERM = WBITS / TERMS;
    localparam int PLACE = TERM - 2;
    localparam int N = SIMD * TERMS;
    localparam int XW = XBITS + (XSIGNED != 0 ? 0 : 1);
    localparam int NEAR = XW + (REACH < 4 ? REACH - 1 : 3);
    localparam int W = XW + REACH - 1;
    localparam int SW = W + $clog2(N);
    generate
        for (genvar p = 0; p < PE; p++) begin : g_pe
            logic [N*W-1:0] parts;
            logic [SW-1:0] sum;
            for (genvar k = 0; k < N; k++) begin : g_term
                localparam int Q = k / TERMS;
                logic [PLACE-1:0] place, rest;
                logic there, less, some, minus;
                logic [NEAR-1:0] wide, near;
                logic [W-1:0] part;
                assign {there, less, place} = w[(p*N+k)*TERM+:TERM];
                assign wide = {{NEAR - XBITS{(XSIGNED != 0) && x[Q*XBITS+XBITS-1]}}, x[Q*XBITS+:XBITS]};
                assign part = W'({{W{near[NEAR-1]}}, near} << rest);
                always_ff @(posedge clk)
                    if (en) begin
                        near           <= wide << (place & PLACE'(3));
                        rest           <= place & ~PLACE'(3);
                        some           <= there;
                        minus          <= less;
                        parts[k*W+:W] <= (part & {W{some}}) ^ {W{minus}};
                    end
            end
            lutra_sum #(.N(N), .W(W), .SIGNED(1)) adders (
                .clk, .en, .in_data(parts), .carries(1'b0), .out_data(sum));
            lutra_fit #(.W(SW), .SIGNED(1), .SCALE(SCALE), .OBITS(OBITS)) fit (
                .in_data(sum), .out_data(out_data[p*OBITS+:OBITS]));
        end
    endgenerate
endmodule
