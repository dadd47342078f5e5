// Of each pixel WORDS0 words of the first stream, then WORDS1 of the second. A code c of stream k becomes
// SCALEk c + ATk. Latency 1.
module lutra_concat #(
    parameter int PE = 1,
    parameter int OBITS = 1,
    parameter int WORDS0 = 1,
    parameter int X0BITS = 1,
    parameter int X0SIGNED = 0,
    parameter int SCALE0 = 1,
    parameter int AT0 = 0,
    parameter int WORDS1 = 1,
    parameter int X1BITS = 1,
    parameter int X1SIGNED = 0,
    parameter int SCALE1 = 1,
    parameter int AT1 = 0
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [PE*X0BITS-1:0] in0_data,
    input  logic                 in0_valid,
    output logic                 in0_ready,
    input  logic [PE*X1BITS-1:0] in1_data,
    input  logic                 in1_valid,
    output logic                 in1_ready,
    output logic [PE*OBITS-1:0]  out_data,
    output logic                 out_valid,
    input  logic                 out_ready
);
    logic room, second, last0, last1, take0, take1;
    logic [PE*OBITS-1:0] code;
    assign in0_ready = room && !second;
    assign in1_ready = room && second;
    assign take0     = in0_valid && in0_ready;
    assign take1     = in1_valid && in1_ready;
    lutra_count #(.N(WORDS0)) count0 (.clk, .rst, .step(take0), .last(last0));
    lutra_count #(.N(WORDS1)) count1 (.clk, .rst, .step(take1), .last(last1));
    always_ff @(posedge clk)
        if (rst) second <= 1'b0;
        else if (take0 && last0) second <= 1'b1;
        else if (take1 && last1) second <= 1'b0;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_lane
            logic [OBITS+X0BITS-1:0] wide0;
            logic [OBITS+X1BITS-1:0] wide1;
            logic [OBITS-1:0] code0, code1;
            logic unused_bits;
            assign unused_bits = &{1'b0, wide0, wide1};
            assign wide0 = {{OBITS{X0SIGNED != 0 && in0_data[p*X0BITS+X0BITS-1]}}, in0_data[p*X0BITS+:X0BITS]};
            assign wide1 = {{OBITS{X1SIGNED != 0 && in1_data[p*X1BITS+X1BITS-1]}}, in1_data[p*X1BITS+:X1BITS]};
            lutra_scaled #(.W(OBITS), .SCALE(SCALE0)) by0 (.start(OBITS'(AT0)), .x(OBITS'(wide0)), .out_data(code0));
            lutra_scaled #(.W(OBITS), .SCALE(SCALE1)) by1 (.start(OBITS'(AT1)), .x(OBITS'(wide1)), .out_data(code1));
            assign code[p*OBITS+:OBITS] = second ? code1 : code0;
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * OBITS)) slice (
        .clk, .rst, .in_data(code), .in_valid(second ? in1_valid : in0_valid), .in_ready(room),
        .out_data, .out_valid, .out_ready);
endmodule
