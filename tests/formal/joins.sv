// Streams that part and meet. A fork's every branch has the property set of a unit that passes words on. Of a join, the
// words taken at each input and given are counted for ever (so that none is lost or repeated), with the rules and no
// deadlock; which words an output word is made of is followed from the first cycle, for any of them.

module proof_fork #(
    parameter int WIDTH = 1, SINKS = 2
) (
    input logic clk, rst, in_valid, input logic [WIDTH-1:0] in_data, input logic [SINKS-1:0] out_ready
);
    logic in_ready;
    logic [SINKS-1:0] out_valid;
    logic [SINKS*WIDTH-1:0] out_data;
    lutra_fork #(.WIDTH(WIDTH), .SINKS(SINKS)) unit (.*);
    (* hierconn *) wire \unit.full ;
    (* hierconn *) wire [WIDTH-1:0] \unit.word , \unit.spare ;

    logic [7:0] still;
    logic begun = 0;
    always_ff @(posedge clk) begin
        begun <= 1;
        still <= (rst || !in_valid || !(&out_ready) || in_ready) ? 0 : still + 1;
        if (begun) assert (still <= 1);
        if (!rst) assert (!\unit.full || out_valid != 0);
    end
    for (genvar k = 0; k < SINKS; k++) begin : g_sink
        logic [15:0] count, ahead;
        logic tracked;
        logic [WIDTH-1:0] value;
        formal_order #(.BITS(WIDTH), .PATIENCE(255)) order (  // a branch alone may stand still: the others decide
            .clk, .rst, .in_data, .in_valid, .in_ready, .out_data(out_data[k*WIDTH+:WIDTH]), .out_valid(out_valid[k]),
            .out_ready(out_ready[k]), .count, .tracked, .ahead, .value);
        always_ff @(posedge clk)
            if (!rst) begin
                assert (count == \unit.full + out_valid[k]);
                if (tracked) assert ((ahead == 0 && out_valid[k] ? \unit.word : \unit.spare ) == value);
            end
    end
endmodule

// Words taken at both inputs and given, and the rules of all three streams.
module formal_join #(
    parameter int OUT_WIDTH = 1
) (
    input  logic                 clk, rst, in0_valid, in0_ready, in1_valid, in1_ready, out_valid, out_ready,
    input  logic [OUT_WIDTH-1:0] out_data,
    output logic [15:0]          taken0, taken1, given
);
    formal_rules #(.OUT_WIDTH(OUT_WIDTH), .PATIENCE(6)) rules (
        .in_valid(in0_valid && in1_valid), .in_ready(in0_ready || in1_ready), .*);
    always_ff @(posedge clk)
        if (rst) {taken0, taken1, given} <= 0;
        else begin
            taken0 <= taken0 + (in0_valid && in0_ready);
            taken1 <= taken1 + (in1_valid && in1_ready);
            given  <= given + (out_valid && out_ready);
        end
endmodule

// What a join that makes one word of one word of each input gives: word n of words n.
module formal_pair #(
    parameter int WIDTH0 = 1, WIDTH1 = 1
) (
    input  logic              clk, rst, in0_valid, in0_ready, in1_valid, in1_ready,
    input  logic [WIDTH0-1:0] in0_data,
    input  logic [WIDTH1-1:0] in1_data,
    input  logic [15:0]       taken0, taken1, given,
    output logic              ours, known,
    output logic [WIDTH0-1:0] x0,
    output logic [WIDTH1-1:0] x1
);
    (* anyconst *) logic [4:0] wanted;
    logic seen0, seen1;
    assign known = seen0 && seen1;
    assign ours  = given == wanted;
    always_ff @(posedge clk)
        if (rst) {seen0, seen1} <= 0;
        else begin
            if (in0_valid && in0_ready && taken0 == wanted) {seen0, x0} <= {1'b1, in0_data};
            if (in1_valid && in1_ready && taken1 == wanted) {seen1, x1} <= {1'b1, in1_data};
        end
endmodule

module proof_add #(
    parameter int XBITS = 2, LESS = 0, VALUES = 0
) (
    input logic clk, rst, in0_valid, in1_valid, out_ready, input logic [XBITS-1:0] in0_data, in1_data
);
    logic in0_ready, in1_ready, out_valid, ours, known;
    logic [XBITS:0] out_data;
    logic [15:0] taken0, taken1, given;
    logic [XBITS-1:0] x0, x1;
    lutra_add #(.OBITS(XBITS + 1), .X0BITS(XBITS), .X1BITS(XBITS), .LESS1(LESS)) unit (.*);
    formal_join #(.OUT_WIDTH(XBITS + 1)) join_ (.*);
    formal_pair #(.WIDTH0(XBITS), .WIDTH1(XBITS)) pair (.*);
    (* hierconn *) wire [1:0] \unit.valid_d ;
    (* hierconn *) wire \unit.inputs.slice0.full , \unit.inputs.slice0.out_valid ;
    (* hierconn *) wire \unit.inputs.slice1.full , \unit.inputs.slice1.out_valid ;
    wire [2:0] inside = \unit.valid_d [0] + \unit.valid_d [1];
    always_ff @(posedge clk)
        if (!rst) begin
            assert (taken0 == 16'(given + inside + \unit.inputs.slice0.full + \unit.inputs.slice0.out_valid ));
            assert (taken1 == 16'(given + inside + \unit.inputs.slice1.full + \unit.inputs.slice1.out_valid ));
        end
    if (VALUES != 0) begin : g_values
        always_ff @(posedge clk)
            if (!rst && out_valid && ours) assert (known && out_data == (XBITS + 1)'(LESS != 0 ? x0 - x1 : x0 + x1));
    end
endmodule

module proof_mul #(
    parameter int XBITS = 2, VALUES = 0
) (
    input logic clk, rst, in0_valid, in1_valid, out_ready, input logic [XBITS-1:0] in0_data, in1_data
);
    localparam int ROWS = (XBITS + 2) / 2;
    logic in0_ready, in1_ready, out_valid, ours, known;
    logic [2*XBITS-1:0] out_data;
    logic [15:0] taken0, taken1, given;
    logic [XBITS-1:0] x0, x1;
    lutra_mul #(.OBITS(2 * XBITS), .X0BITS(XBITS), .X1BITS(XBITS)) unit (.*);
    formal_join #(.OUT_WIDTH(2 * XBITS)) join_ (.*);
    formal_pair #(.WIDTH0(XBITS), .WIDTH1(XBITS)) pair (.*);
    (* hierconn *) wire [ROWS-1:0] \unit.valid_d ;
    (* hierconn *) wire \unit.inputs.slice0.full , \unit.inputs.slice0.out_valid ;
    (* hierconn *) wire \unit.inputs.slice1.full , \unit.inputs.slice1.out_valid ;
    logic [3:0] inside;
    always_comb begin
        inside = 0;
        for (int i = 0; i < ROWS; i++) inside = inside + \unit.valid_d [i];
    end
    always_ff @(posedge clk)
        if (!rst) begin
            assert (taken0 == 16'(given + inside + \unit.inputs.slice0.full + \unit.inputs.slice0.out_valid ));
            assert (taken1 == 16'(given + inside + \unit.inputs.slice1.full + \unit.inputs.slice1.out_valid ));
        end
    if (VALUES != 0) begin : g_values
        always_ff @(posedge clk) if (!rst && out_valid && ours) assert (known && out_data == (2 * XBITS)'(x0) * x1);
    end
endmodule

module proof_concat #(
    parameter int XBITS = 2, WORDS0 = 1, WORDS1 = 2, VALUES = 0
) (
    input logic clk, rst, in0_valid, in1_valid, out_ready, input logic [XBITS-1:0] in0_data, in1_data
);
    logic in0_ready, in1_ready, out_valid;
    logic [XBITS-1:0] out_data;
    logic [15:0] taken0, taken1, given;
    lutra_concat #(
        .OBITS(XBITS), .WORDS0(WORDS0), .X0BITS(XBITS), .WORDS1(WORDS1), .X1BITS(XBITS)
    ) unit (.*);
    formal_join #(.OUT_WIDTH(XBITS)) join_ (.*);
    (* hierconn *) wire \unit.slice.full , \unit.slice.out_valid ;
    always_ff @(posedge clk)
        if (!rst) assert (16'(taken0 + taken1) == 16'(given + \unit.slice.full + \unit.slice.out_valid ));

    (* anyconst *) logic [4:0] pixel, c;
    wire first = c < WORDS0;
    wire [5:0] wanted = pixel * (WORDS0 + WORDS1) + c;
    wire [5:0] source = first ? pixel * WORDS0 + c : pixel * WORDS1 + c - WORDS0;
    logic seen;
    logic [XBITS-1:0] value;
    always_ff @(posedge clk) begin
        assume (pixel < 8 && c < WORDS0 + WORDS1);
        if (rst) seen <= 0;
        else begin
            if (first && in0_valid && in0_ready && taken0 == source) {seen, value} <= {1'b1, in0_data};
            if (!first && in1_valid && in1_ready && taken1 == source) {seen, value} <= {1'b1, in1_data};
        end
    end
    if (VALUES != 0) begin : g_values
        always_ff @(posedge clk) if (!rst && out_valid && given == wanted) assert (seen && out_data == value);
    end
endmodule
