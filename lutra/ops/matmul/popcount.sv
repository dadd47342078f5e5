// Popcounts and weighted sums in pipelined trees. A register follows every level, so that synthesis keeps each
// level's own shape; `en` moves all of them.

// The sum of N unsigned numbers of W bits, a binary tree of adders. Latency clog2(N).
module lutra_sum #(
    parameter int N = 2,
    parameter int W = 1
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic [N*W-1:0]         in_data,
    output logic [W+$clog2(N)-1:0] out_data
);
    localparam int M = (N + 1) / 2;
    generate
        if (N == 1) begin : g_one
            assign out_data = in_data;
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en};
        end else begin : g_pairs
            logic [M*(W+1)-1:0] halves;
            for (genvar i = 0; i < M; i++) begin : g_pair
                if (2 * i + 1 < N) begin : g_add
                    always_ff @(posedge clk)
                        if (en) halves[i*(W+1)+:W+1] <= (W + 1)'(in_data[2*i*W+:W]) + (W + 1)'(in_data[(2*i+1)*W+:W]);
                end else begin : g_pass
                    always_ff @(posedge clk) if (en) halves[i*(W+1)+:W+1] <= {1'b0, in_data[2*i*W+:W]};
                end
            end
            lutra_sum #(.N(M), .W(W + 1)) rest (.clk, .en, .in_data(halves), .out_data(out_data));
        end
    endgenerate
endmodule

// How many of N bits are set: counters of six bits (three 6-input functions each), then adders.
// Latency 1 + clog2(ceil(N / 6)).
module lutra_count_ones #(
    parameter int N = 6
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [N-1:0]             in_data,
    output logic [3+$clog2((N+5)/6)-1:0] out_data
);
    localparam int M = (N + 5) / 6;
    // Bit m of the vectors a..f belongs to counter m: the counters share the bits evenly and simulate as words.
    logic [6*M-1:0] bits;
    logic [M-1:0] a, b, c, d, e, f, sum0, sum1, carry0, carry1, both, ones, twos, fours;
    logic [3*M-1:0] counts;
    assign bits = (6 * M)'(in_data);
    assign {f, e, d, c, b, a} = bits;
    assign sum0   = a ^ b ^ c;
    assign sum1   = d ^ e ^ f;
    assign carry0 = (a & b) | (c & (a | b));
    assign carry1 = (d & e) | (f & (d | e));
    assign both   = sum0 & sum1;
    always_ff @(posedge clk)
        if (en) begin
            ones  <= sum0 ^ sum1;
            twos  <= carry0 ^ carry1 ^ both;
            fours <= (carry0 & carry1) | (both & (carry0 | carry1));
        end
    generate
        for (genvar m = 0; m < M; m++) begin : g_counter
            assign counts[3*m+:3] = {fours[m], twos[m], ones[m]};
        end
    endgenerate
    lutra_sum #(.N(M), .W(3)) adders (.clk, .en, .in_data(counts), .out_data(out_data));
endmodule

// The sum over N lanes of the products of one-bit codes: AND, or XNOR where BIPOLAR (codes 0 and 1 for -1 and +1).
// The products are part of the first level: three lanes are six inputs and a count of two bits. Up to four such
// counts are added in a tree; of more, their ones and their twos are counted apart.
// Latency 1 for N <= 3, 1 + clog2(G) for G = ceil(N / 3) <= 4, else 3 + clog2(ceil(G / 6)).
module lutra_popcount #(
    parameter int N = 1,
    parameter int BIPOLAR = 0
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic [N-1:0]           x,
    input  logic [N-1:0]           w,
    output logic [$clog2(N+1)-1:0] out_data
);
    localparam int G = (N + 2) / 3;
    localparam int W = $clog2(N + 1);
    logic [3*G-1:0] product;
    logic [G-1:0] a, b, c, ones, twos;
    assign product   = (BIPOLAR != 0) ? (3 * G)'(N'(x ~^ w)) : (3 * G)'(x & w);
    assign {c, b, a} = product;
    always_ff @(posedge clk)
        if (en) begin
            ones <= a ^ b ^ c;
            twos <= (a & b) | (c & (a | b));
        end
    generate
        if (G == 1) begin : g_group
            assign out_data = W'({twos, ones});
        end else if (G <= 4) begin : g_few
            logic [2*G-1:0] counts;
            for (genvar g = 0; g < G; g++) begin : g_pair
                assign counts[2*g+:2] = {twos[g], ones[g]};
            end
            logic [2+$clog2(G)-1:0] total;
            lutra_sum #(.N(G), .W(2)) adders (.clk, .en, .in_data(counts), .out_data(total));
            assign out_data = W'(total);
        end else begin : g_many
            localparam int C = 3 + $clog2((G + 5) / 6);
            logic [C-1:0] n1, n2;
            logic [W-1:0] total;
            lutra_count_ones #(.N(G)) low (.clk, .en, .in_data(ones), .out_data(n1));
            lutra_count_ones #(.N(G)) high (.clk, .en, .in_data(twos), .out_data(n2));
            always_ff @(posedge clk) if (en) total <= W'({W'(n2 + C'(n1[C-1:1])), n1[0]});
            assign out_data = total;
        end
    endgenerate
endmodule

// sum over i of in[i] * 2**i for P numbers of W bits (two's complement where SIGNED); the last has weight
// -2**(P-1) where NEGATIVE. The result is two's complement where SIGNED or NEGATIVE. Latency clog2(P).
module lutra_weigh #(
    parameter int P = 1,
    parameter int W = 1,
    parameter int SIGNED = 0,
    parameter int NEGATIVE = 0
) (
    input  logic           clk,
    input  logic           en,
    input  logic [P*W-1:0] in_data,
    output logic [W+P-1:0] out_data
);
    localparam int L = 1 << ($clog2(P) - 1);  // the lower half; not used where P is 1
    localparam int H = P - L;
    localparam int LATE = $clog2(P) - 1 - $clog2(H);
    generate
        if (P == 1) begin : g_one
            logic [W:0] wide;
            assign wide     = {(SIGNED != 0) && in_data[W-1], in_data};
            assign out_data = (NEGATIVE != 0) ? -wide : wide;
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en};
        end else begin : g_halves
            localparam bit MINUS = (NEGATIVE != 0) && H == 1;
            localparam bit HIGH_SIGNED = (SIGNED != 0) || ((NEGATIVE != 0) && H > 1);
            logic [W+L-1:0] low;
            logic [W+H-1:0] high, late;
            logic [W+H:0] high_wide, carried;
            lutra_weigh #(.P(L), .W(W), .SIGNED(SIGNED), .NEGATIVE(0)) lower (
                .clk, .en, .in_data(in_data[L*W-1:0]), .out_data(low));
            lutra_weigh #(.P(H), .W(W), .SIGNED(SIGNED), .NEGATIVE(H > 1 ? NEGATIVE : 0)) upper (
                .clk, .en, .in_data(in_data[P*W-1:L*W]), .out_data(high));
            lutra_delay #(.N(LATE), .W(W + H)) align (.clk, .en, .in_data(high), .out_data(late));
            assign high_wide = {HIGH_SIGNED && late[W+H-1], late};
            assign carried   = {{H + 1{(SIGNED != 0) && low[W+L-1]}}, low[W+L-1:L]};
            logic [W+P-1:0] total;
            always_ff @(posedge clk)
                if (en) total <= {(W + H)'(MINUS ? carried - high_wide : carried + high_wide), low[L-1:0]};
            assign out_data = total;
        end
    endgenerate
endmodule

// N registers in a row.
module lutra_delay #(
    parameter int N = 1,
    parameter int W = 1
) (
    input  logic         clk,
    input  logic         en,
    input  logic [W-1:0] in_data,
    output logic [W-1:0] out_data
);
    generate
        if (N == 0) begin : g_wire
            assign out_data = in_data;
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en};
        end else begin : g_row
            logic [W-1:0] first;
            always_ff @(posedge clk) if (en) first <= in_data;
            lutra_delay #(.N(N - 1), .W(W)) rest (.clk, .en, .in_data(first), .out_data(out_data));
        end
    endgenerate
endmodule
