// Popcounts and weighted sums in pipelined trees. A register follows every level, so that synthesis keeps each
// level's own shape; `en` moves all of them.

// The sum of N numbers of W bits (two's complement where SIGNED) and of C < N single bits, a binary tree of adders: a
// single bit is the carry into an adder, and costs none of its own. Latency clog2(N).
module lutra_sum #(
    parameter int N = 2,
    parameter int W = 1,
    parameter int C = 0,
    parameter int SIGNED = 0
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic [N*W-1:0]         in_data,
    input  logic [C:0]             carries,  // one more than are used
    output logic [W+$clog2(N)-1:0] out_data
);
    localparam int M = (N + 1) / 2;
    localparam int TAKEN = C < N / 2 ? C : N / 2;
    generate
        if (N == 1) begin : g_one
            assign out_data = in_data;
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en, carries};
        end else begin : g_pairs
            logic [M*(W+1)-1:0] halves;
            logic [C-TAKEN:0] left;
            always_ff @(posedge clk) if (en) left <= carries[C:TAKEN];
            for (genvar i = 0; i < M; i++) begin : g_pair
                logic [W:0] left_side, right_side;
                assign left_side = {(SIGNED != 0) && in_data[2*i*W+W-1], in_data[2*i*W+:W]};
                if (2 * i + 1 < N) begin : g_both
                    assign right_side = {(SIGNED != 0) && in_data[(2*i+1)*W+W-1], in_data[(2*i+1)*W+:W]};
                end else begin : g_single
                    assign right_side = '0;
                end
                if (2 * i + 1 < N && i < TAKEN) begin : g_carry
                    logic [W+1:0] total;
                    assign total = {left_side, 1'b1} + {right_side, carries[i]};
                    always_ff @(posedge clk) if (en) halves[i*(W+1)+:W+1] <= total[W+1:1];
                    logic unused_bit;
                    assign unused_bit = total[0];
                end else begin : g_add
                    always_ff @(posedge clk) if (en) halves[i*(W+1)+:W+1] <= left_side + right_side;
                end
            end
            lutra_sum #(.N(M), .W(W + 1), .C(C - TAKEN), .SIGNED(SIGNED)) rest (
                .clk, .en, .in_data(halves), .carries(left), .out_data(out_data));
        end
    endgenerate
endmodule

// How many of N bits are set: M counters of six bits (three 6-input functions each), then adders, whose carries take
// up to M - 1 bits more. Latency 0 for N = 1, else 1 + clog2(M).
module lutra_count_ones #(
    parameter int N = 6,
    parameter int M = N <= 6 ? 1 : (N + 7) / 7,
    parameter int W = N == 1 ? 1 : 3 + $clog2(M)
) (
    input  logic         clk,
    input  logic         en,
    input  logic [N-1:0] in_data,
    output logic [W-1:0] out_data
);
    localparam int C = N > 6 * M ? N - 6 * M : 0;
    generate
        if (N == 1) begin : g_one
            assign out_data = in_data;
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en};
        end else begin : g_counters
            // Bit m of the vectors a..f belongs to counter m: the counters share the bits evenly, simulate as words.
            logic [M-1:0] a, b, c, d, e, f, sum0, sum1, carry0, carry1, both, ones, twos, fours;
            logic [3*M-1:0] counts;
            logic [C:0] carries;
            assign {f, e, d, c, b, a} = (6 * M)'(in_data[N-C-1:0]);
            assign sum0   = a ^ b ^ c;
            assign sum1   = d ^ e ^ f;
            assign carry0 = (a & b) | (c & (a | b));
            assign carry1 = (d & e) | (f & (d | e));
            assign both   = sum0 & sum1;
            always_ff @(posedge clk)
                if (en) begin
                    ones    <= sum0 ^ sum1;
                    twos    <= carry0 ^ carry1 ^ both;
                    fours   <= (carry0 & carry1) | (both & (carry0 | carry1));
                    carries <= (C + 1)'(in_data >> (N - C));
                end
            for (genvar m = 0; m < M; m++) begin : g_counter
                assign counts[3*m+:3] = {fours[m], twos[m], ones[m]};
            end
            lutra_sum #(.N(M), .W(3), .C(C)) adders (
                .clk, .en, .in_data(counts), .carries(carries), .out_data(out_data));
        end
    endgenerate
endmodule

// U bits of weight 1 and T of weight 2: counted apart, then added; the last of the twos is that adder's carry.
// Latency 0 where U is 1 and T at most 1; else 1 + the longer of the counts of U and of T - 1.
module lutra_tally #(
    parameter int U = 1,
    parameter int T = 1,
    parameter int W = $clog2(U + 2 * T + 1)
) (
    input  logic         clk,
    input  logic         en,
    input  logic [U-1:0] ones,
    input  logic [T-1:0] twos,
    output logic [W-1:0] out_data
);
    localparam int MU = U <= 6 ? 1 : (U + 7) / 7;
    localparam int WU = U == 1 ? 1 : 3 + $clog2(MU);
    localparam int LU = U == 1 ? 0 : 1 + $clog2(MU);
    generate
        if (U == 1 && T == 1) begin : g_bits
            assign out_data = {twos, ones};
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en};
        end else begin : g_counts
            localparam int R = T > 1 ? T - 1 : 1;
            localparam int MR = R <= 6 ? 1 : (R + 7) / 7;
            localparam int WR = R == 1 ? 1 : 3 + $clog2(MR);
            localparam int LR = R == 1 ? 0 : 1 + $clog2(MR);
            localparam int L = LU > LR ? LU : LR;
            logic [WU-1:0] low, low_late;
            logic [WR-1:0] high, high_late;
            logic carry_late;
            lutra_count_ones #(.N(U)) units (.clk, .en, .in_data(ones), .out_data(low));
            lutra_count_ones #(.N(R)) pairs (.clk, .en, .in_data(twos[R-1:0]), .out_data(high));
            lutra_delay #(.N(L - LU), .W(WU)) align_low (.clk, .en, .in_data(low), .out_data(low_late));
            lutra_delay #(.N(L - LR), .W(WR)) align_high (.clk, .en, .in_data(high), .out_data(high_late));
            lutra_delay #(.N(L), .W(1)) align_carry (
                .clk, .en, .in_data(T > 1 && twos[T-1]), .out_data(carry_late));
            logic [W-1:0] sum, total;
            assign sum = {(W - 1)'(high_late), 1'b1} + {(W - 1)'(low_late >> 1), carry_late};
            always_ff @(posedge clk) if (en) total <= {sum[W-1:1], low_late[0]};
            assign out_data = total;
            logic unused_bits;
            assign unused_bits = &{1'b0, sum};
        end
    endgenerate
endmodule

// How many of N lanes have both bits set. Three lanes are six inputs and a count of two bits.
// Latency 1 + that of lutra_tally of G ones and G twos, G = ceil(N / 3).
module lutra_meet #(
    parameter int N = 1
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic [N-1:0]           x,
    input  logic [N-1:0]           w,
    output logic [$clog2(N+1)-1:0] out_data
);
    localparam int G = (N + 2) / 3;
    localparam int W = $clog2(3 * G + 1);
    logic [G-1:0] a, b, c, ones, twos;
    logic [W-1:0] total;
    assign {c, b, a} = (3 * G)'(x & w);
    always_ff @(posedge clk)
        if (en) begin
            ones <= a ^ b ^ c;
            twos <= (a & b) | (c & (a | b));
        end
    lutra_tally #(.U(G), .T(G)) tally (.clk, .en, .ones, .twos, .out_data(total));
    assign out_data = ($clog2(N + 1))'(total);
    logic unused_bits;
    assign unused_bits = &{1'b0, total};
endmodule

// How many of N lanes have equal bits: XNOR and count. The XNORs are linear, so parities of x and of w stand in for sums:
// of three lanes, the count's low bit is the parity of x against the parity of w. G groups of three lanes
// (i, G + i, 2G + i) and what is left over give their high bits, one 6-input function each, and Q such pairs of
// parities; those are again taken by three, H times. x comes with its parities (lutra_parities), shared by all rows;
// in w's memory the third lane of a group holds the group's parity in place of its own bit, and no bit is added.
// `take` moves the first registers, `en` all others: without it a count stays, and nothing in it changes.
// Latency 1 + that of lutra_tally of H ones and G + B twos, B the groups of parities of more than one; 1 for N < 3.
module lutra_agree #(
    parameter int N = 1,
    parameter int G = N / 3,
    parameter int H = (N - 2 * G + 2) / 3
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic                   take,
    input  logic [N+G+H-1:0]       x,
    input  logic [N-1:0]           w,
    output logic [$clog2(N+1)-1:0] out_data
);
    localparam int Q = N - 2 * G;  // parities: the groups', and the lanes left over
    localparam int B = H < Q - H ? H : Q - H;
    logic [H-1:0] px, p0, p1, p2, q0, q1, q2, odd, pairs, ones;
    logic [3*H-1:0] p, q;
    assign px = x[N+G+:H];
    generate
        if (N < 3) begin : g_lanes
            assign p = (3 * H)'(x[N-1:0]);
            assign q = {{3 * H - N{1'b1}}, w};
            always_ff @(posedge clk) if (take) ones <= odd;
            if (N == 1) begin : g_one
                assign out_data = ones;
                logic unused_bits;
                assign unused_bits = &{1'b0, pairs};
            end else begin : g_two
                logic [H-1:0] twos;
                always_ff @(posedge clk) if (take) twos <= pairs;
                assign out_data = {twos, ones};
            end
        end else begin : g_groups
            logic [G-1:0] xa, xb, xc, wa, wb, wp, a, b, c;
            logic [G+B-1:0] twos;
            assign {xc, xb, xa} = x[3*G-1:0];
            assign {wp, wb, wa} = w[3*G-1:0];
            assign a = xa ~^ wa;
            assign b = xb ~^ wb;
            assign c = xc ~^ (wa ^ wb ^ wp);
            if (N > 3 * G) begin : g_left
                assign p = (3 * H)'({x[N-1:3*G], x[N+:G]});
                assign q = ~((3 * H)'(Q'(~{w[N-1:3*G], wp})));
            end else begin : g_none
                assign p = (3 * H)'(x[N+:G]);
                assign q = ~((3 * H)'(G'(~wp)));
            end
            always_ff @(posedge clk)
                if (take) begin
                    ones <= odd;
                    twos <= (G + B)'({pairs, (a & b) | (c & (a | b))});
                end
            localparam int W = $clog2(H + 2 * (G + B) + 1);
            logic [W-1:0] total;
            lutra_tally #(.U(H), .T(G + B)) tally (.clk, .en, .ones, .twos, .out_data(total));
            assign out_data = ($clog2(N + 1))'(total);
            logic unused_bits;
            assign unused_bits = &{1'b0, total};
        end
    endgenerate
    assign {p2, p1, p0} = p;
    assign {q2, q1, q0} = q;
    assign odd   = ~(px ^ q0 ^ q1 ^ q2);
    assign pairs = ((p0 ~^ q0) & (p1 ~^ q1)) | ((p2 ~^ q2) & ((p0 ~^ q0) | (p1 ~^ q1)));
endmodule

// x with the parities that lutra_agree needs: N bits, G of groups of three, H of three of those. Latency 1.
module lutra_parities #(
    parameter int N = 1,
    parameter int G = N / 3,
    parameter int H = (N - 2 * G + 2) / 3
) (
    input  logic             clk,
    input  logic             en,
    input  logic [N-1:0]     x,
    output logic [N+G+H-1:0] out_data
);
    logic [3*H-1:0] p;
    logic [H-1:0] p0, p1, p2;
    assign {p2, p1, p0} = p;
    generate
        if (N < 3) begin : g_lanes
            assign p = (3 * H)'(x);
            always_ff @(posedge clk) if (en) out_data <= {p0 ^ p1 ^ p2, x};
        end else begin : g_groups
            logic [G-1:0] groups;
            assign groups = x[0+:G] ^ x[G+:G] ^ x[2*G+:G];
            if (N > 3 * G) begin : g_left
                assign p = (3 * H)'({x[N-1:3*G], groups});
            end else begin : g_none
                assign p = (3 * H)'(groups);
            end
            always_ff @(posedge clk) if (en) out_data <= {p0 ^ p1 ^ p2, groups, x};
        end
    endgenerate
endmodule

