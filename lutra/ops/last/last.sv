// The last column of sequences of up to COLUMNS columns of WORDS words; the others are dropped. Latency 1.
module lutra_last #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int COLUMNS = 1,
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
    output logic             out_valid,
    input  logic             out_ready
);
    localparam int TW = $clog2(COLUMNS + 1);
    logic busy, room, step, last_word, last_column;
    logic [LBITS-1:0] length;
    logic [TW-1:0] t;  // columns until this one, itself among them
    assign in0_ready   = busy && room;
    assign step        = in0_valid && in0_ready;
    assign last_column = 32'(t) == 32'(length);
    lutra_skid #(.WIDTH(LBITS)) lengths (
        .clk, .rst, .in_data(in1_data), .in_valid(in1_valid), .in_ready(in1_ready),
        .out_data(length), .out_valid(busy), .out_ready(step && last_word && last_column));
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(last_word));
    always_ff @(posedge clk)
        if (rst) t <= TW'(1);
        else if (step && last_word) t <= last_column ? TW'(1) : t + 1'b1;
    lutra_skid #(.WIDTH(WIDTH)) slice (
        .clk, .rst, .in_data(in0_data), .in_valid(in0_valid && busy && last_column), .in_ready(room),
        .out_data, .out_valid, .out_ready);
endmodule
