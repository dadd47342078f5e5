// Dot products of PE rows of weights with SIMD codes of x, by bit planes: a popcount for each pair of a bit of x and a bit
// of w, weighed and summed; for one lane a plane is a bit and x stays whole.
//
// w comes with x; where BIPOLAR, a register later, when x has the parities that all rows share.
module lutra_planes #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [SIMD*XBITS-1:0]    x,
    input  logic [PE*SIMD*WBITS-1:0] w,
    output logic [PE*OBITS-1:0]      out_data
);
    localparam int FACE = BIPOLAR != 0 ? SIMD + SIMD / 3 + (SIMD - 2 * (SIMD / 3) + 2) / 3 : SIMD;
    logic [XBITS*FACE-1:0] planes;
    generate
        for (genvar b = 0; b < XBITS; b++) begin : g_plane
            logic [SIMD-1:0] plane;
            for (genvar q = 0; q < SIMD; q++) begin : g_lane
                assign plane[q] = x[q*XBITS+b];
            end
            if (BIPOLAR != 0) begin : g_parities
                lutra_parities #(.N(SIMD)) parities (.clk, .en, .x(plane), .out_data(planes[b*FACE+:FACE]));
            end else begin : g_bits
                assign planes[b*FACE+:FACE] = plane;
            end
        end
        for (genvar p = 0; p < PE; p++) begin : g_pe
            lutra_dot #(
                .SIMD(SIMD), .FACE(FACE), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED),
                .BIPOLAR(BIPOLAR), .SCALE(SCALE), .OBITS(OBITS)
            ) lanes (.clk, .en, .planes, .w(w[p*SIMD*WBITS+:SIMD*WBITS]), .out_data(out_data[p*OBITS+:OBITS]));
        end
    endgenerate
endmodule

// A row's dot product.
module lutra_dot #(
    parameter int SIMD = 1,
    parameter int FACE = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic                  clk,
    input  logic                  en,
    input  logic [XBITS*FACE-1:0] planes,
    input  logic [SIMD*WBITS-1:0] w,
    output logic [OBITS-1:0]      out_data
);
    localparam int C = $clog2(SIMD + 1);
    localparam int RW = C + XBITS;  // a row: the sum of x over the lanes whose weight has that bit
    localparam bit SIGNED = XSIGNED != 0 || WSIGNED != 0;
    logic [WBITS*RW-1:0] rows;
    logic [RW+WBITS-1:0] sum;
    generate
        for (genvar a = 0; a < WBITS; a++) begin : g_row
            logic [XBITS*C-1:0] counts;
            logic [SIMD-1:0] bits;
            for (genvar q = 0; q < SIMD; q++) begin : g_lane
                assign bits[q] = w[q*WBITS+a];
            end
            for (genvar b = 0; b < XBITS; b++) begin : g_plane
                if (BIPOLAR != 0) begin : g_agree
                    lutra_agree #(.N(SIMD)) count (
                        .clk, .en, .take(en), .x(planes[b*FACE+:FACE]), .w(bits), .out_data(counts[b*C+:C]));
                end else begin : g_meet
                    lutra_meet #(.N(SIMD)) count (
                        .clk, .en, .x(planes[b*FACE+:FACE]), .w(bits), .out_data(counts[b*C+:C]));
                end
            end
            if (SIMD == 1) begin : g_bits
                logic [XBITS:0] value;
                assign value = {(XSIGNED != 0) && counts[XBITS-1], counts};
                assign rows[a*RW+:RW] = value;
            end else begin : g_sum
                lutra_weigh #(.P(XBITS), .W(C), .SIGNED(0), .NEGATIVE(XSIGNED)) weigh (
                    .clk, .en, .in_data(counts), .out_data(rows[a*RW+:RW]));
            end
        end
    endgenerate
    lutra_weigh #(.P(WBITS), .W(RW), .SIGNED(XSIGNED), .NEGATIVE(WSIGNED)) weigh (
        .clk, .en, .in_data(rows), .out_data(sum));
    lutra_fit #(.W(RW + WBITS), .SIGNED(SIGNED ? 1 : 0), .SCALE(SCALE), .OBITS(OBITS)) fit (
        .in_data(sum), .out_data);
endmodule
