// Two streams whose words go on together: x0 and x1 where out_valid and out_ready are high. Each has a register slice
// of its own, so that no stream's ready hangs on the other's valid.
module lutra_join #(
    parameter int WIDTH0 = 1,
    parameter int WIDTH1 = 1
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [WIDTH0-1:0] in0_data,
    input  logic              in0_valid,
    output logic              in0_ready,
    input  logic [WIDTH1-1:0] in1_data,
    input  logic              in1_valid,
    output logic              in1_ready,
    output logic [WIDTH0-1:0] x0,
    output logic [WIDTH1-1:0] x1,
    output logic              out_valid,
    input  logic              out_ready
);
    logic wait0, wait1;
    lutra_skid #(.WIDTH(WIDTH0)) slice0 (
        .clk, .rst, .in_data(in0_data), .in_valid(in0_valid), .in_ready(in0_ready),
        .out_data(x0), .out_valid(wait0), .out_ready(out_ready && wait1));
    lutra_skid #(.WIDTH(WIDTH1)) slice1 (
        .clk, .rst, .in_data(in1_data), .in_valid(in1_valid), .in_ready(in1_ready),
        .out_data(x1), .out_valid(wait1), .out_ready(out_ready && wait0));
    assign out_valid = wait0 && wait1;
endmodule
