// Dot products of PE rows of weights with SIMD codes of x, by multipliers that synthesis puts into DSP blocks.
//
// Where PACKED, one block multiplies x by the weights of two rows, v + u * 2**K, K as wide as a product (Fu et al.,
// "Deep Learning with INT8 Optimization on Xilinx Devices", WP486, 2016): v * x lies in the low K bits of the result. A
// negative one would borrow from u * x above it, so that 2**(K-1), which no product is below, is added to the result;
// then the low field is v * x + 2**(K-1), which is v * x with its highest bit inverted, and u * x is exact.
// The sum v + u * 2**K is that of the block's adder before its multiplier, the constant that of the one behind it.
//
// w comes with x. Latency 3 + clog2(SIMD).
module lutra_multiply #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int PACKED = 0,
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [SIMD*XBITS-1:0]    x,
    input  logic [PE*SIMD*WBITS-1:0] w,
    output logic [PE*OBITS-1:0]      out_data
);
    localparam int K = XBITS + WBITS;
    localparam int S = (XSIGNED != 0 || WSIGNED != 0) ? 1 : 0;
    localparam int SW = K + $clog2(SIMD);
    logic [PE*SIMD*K-1:0] lanes;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_pe
            logic [SW-1:0] sum;
            for (genvar q = 0; q < SIMD; q++) begin : g_lane
                if (PACKED == 0) begin : g_one
                    lutra_product #(.XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED)) product (
                        .clk, .en, .x(x[q*XBITS+:XBITS]), .w(w[(p*SIMD+q)*WBITS+:WBITS]),
                        .out_data(lanes[(p*SIMD+q)*K+:K]));
                end else if (p % 2 == 0) begin : g_two
                    logic [WBITS-1:0] other;
                    logic [K-1:0] high;
                    if (p + 1 < PE) begin : g_pair
                        assign other = w[((p+1)*SIMD+q)*WBITS+:WBITS];
                        assign lanes[((p+1)*SIMD+q)*K+:K] = high;
                    end else begin : g_single
                        assign other = '0;
                        logic unused_product;
                        assign unused_product = &{1'b0, high};
                    end
                    lutra_two_products #(.XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED)) product (
                        .clk, .en, .x(x[q*XBITS+:XBITS]), .v(w[(p*SIMD+q)*WBITS+:WBITS]), .u(other),
                        .low(lanes[(p*SIMD+q)*K+:K]), .high);
                end
            end
            lutra_sum #(.N(SIMD), .W(K), .SIGNED(S)) adders (
                .clk, .en, .in_data(lanes[p*SIMD*K+:SIMD*K]), .carries(1'b0), .out_data(sum));
            lutra_fit #(.W(SW), .SIGNED(S), .SCALE(SCALE), .OBITS(OBITS)) fit (
                .in_data(sum), .out_data(out_data[p*OBITS+:OBITS]));
        end
    endgenerate
endmodule

// w * x. Latency 3.
module lutra_product #(
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic [XBITS-1:0]       x,
    input  logic [WBITS-1:0]       w,
    output logic [XBITS+WBITS-1:0] out_data
);
    logic signed [WBITS:0] a;
    logic signed [XBITS:0] b;
    logic signed [XBITS+WBITS-1:0] m;
    always_ff @(posedge clk)
        if (en) begin
            a        <= {(WSIGNED != 0) && w[WBITS-1], w};
            b        <= {(XSIGNED != 0) && x[XBITS-1], x};
            m        <= (XBITS + WBITS)'(a * b);
            out_data <= m;
        end
endmodule

// low = v * x, high = u * x. Latency 3.
module lutra_two_products #(
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int K = XBITS + WBITS
) (
    input  logic             clk,
    input  logic             en,
    input  logic [XBITS-1:0] x,
    input  logic [WBITS-1:0] v,
    input  logic [WBITS-1:0] u,
    output logic [K-1:0]     low,
    output logic [K-1:0]     high
);
    localparam bit S = XSIGNED != 0 || WSIGNED != 0;
    localparam int AW = K + WBITS + 1;
    logic signed [AW-1:0] a;
    logic signed [XBITS:0] b;
    logic signed [AW+XBITS:0] m, total;
    always_ff @(posedge clk)
        if (en) begin
            a     <= $signed({{K + 1{(WSIGNED != 0) && v[WBITS-1]}}, v}) + $signed({(WSIGNED != 0) && u[WBITS-1], u, K'(0)});
            b     <= {(XSIGNED != 0) && x[XBITS-1], x};
            m     <= a * b;
            total <= S ? m + $signed((AW + XBITS + 1)'(1) << (K - 1)) : m;
        end
    assign low  = {total[K-1] ^ S, total[K-2:0]};
    assign high = total[K+:K];
    logic unused_bits;
    assign unused_bits = &{1'b0, total};
endmodule
