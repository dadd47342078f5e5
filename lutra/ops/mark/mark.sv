// Sequences of columns of WORDS words, as they are, with the last word of each marked. Latency 1.
module lutra_mark #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int LBITS = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [WIDTH-1:0] in0_data,
    input  logic             in0_valid,
    output logic             in0_ready,
    input  logic [LBITS-1:0] in1_data,
    input  logic             in1_valid,
    output logic             in1_ready,
    output logic [WIDTH-1:0] out_data,
    output logic             out_last,
    output logic             out_valid,
    input  logic             out_ready
);
    logic busy, room, step, last_word, last;
    logic [LBITS-1:0] length, t;
    assign in0_ready = busy && room;
    assign step      = in0_valid && in0_ready;
    assign last      = last_word && t == length - 1'b1;
    lutra_skid #(.WIDTH(LBITS)) lengths (
        .clk, .rst, .in_data(in1_data), .in_valid(in1_valid), .in_ready(in1_ready),
        .out_data(length), .out_valid(busy), .out_ready(step && last));
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(last_word));
    always_ff @(posedge clk)
        if (rst) t <= '0;
        else if (step && last_word) t <= last ? '0 : t + 1'b1;
    lutra_skid #(.WIDTH(WIDTH + 1)) slice (
        .clk, .rst, .in_data({last, in0_data}), .in_valid(in0_valid && busy), .in_ready(room),
        .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule
