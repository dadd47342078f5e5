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

// N registers in a row that stay registers: a LUT as a shift register is no gain where logic leaves flip-flops over.
module lutra_hold #(
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
            (* shreg_extract = "no" *) logic [W-1:0] first;
            (* keep *) always_ff @(posedge clk) if (en) first <= in_data;
            lutra_hold #(.N(N - 1), .W(W)) rest (.clk, .en, .in_data(first), .out_data(out_data));
        end
    endgenerate
endmodule
