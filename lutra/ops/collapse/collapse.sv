// Labels of a sequence's columns without repeats and blanks, then a blank. Latency 1.
module lutra_collapse #(
    parameter int BITS = 1,
    parameter int LBITS = 1,
    parameter int BLANK = 0  // its code
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [ BITS-1:0] in0_data,
    input  logic             in0_valid,
    output logic             in0_ready,
    input  logic [LBITS-1:0] in1_data,
    input  logic             in1_valid,
    output logic             in1_ready,
    output logic [ BITS-1:0] out_data,
    output logic             out_last,
    output logic             out_valid,
    input  logic             out_ready
);
    logic busy, room, closing, step, kept;
    logic [LBITS-1:0] length, t;
    logic [BITS-1:0] previous;  // the label before this one; a blank before the first
    assign in0_ready = busy && room && !closing;
    assign step      = in0_valid && in0_ready;
    assign kept      = in0_valid && in0_data != BITS'(BLANK) && in0_data != previous;
    lutra_skid #(.WIDTH(LBITS)) lengths (
        .clk, .rst, .in_data(in1_data), .in_valid(in1_valid), .in_ready(in1_ready),
        .out_data(length), .out_valid(busy), .out_ready(closing && room));
    always_ff @(posedge clk)
        if (rst || (closing && room)) begin
            t       <= '0;
            closing <= 1'b0;
            previous <= BITS'(BLANK);
        end else if (step) begin
            t       <= t + 1'b1;
            closing <= t == length - 1'b1;
            previous <= in0_data;
        end
    lutra_skid #(.WIDTH(BITS + 1)) slice (
        .clk, .rst, .in_data({closing, closing ? BITS'(BLANK) : in0_data}), .in_valid(busy && (closing || kept)),
        .in_ready(room), .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule
