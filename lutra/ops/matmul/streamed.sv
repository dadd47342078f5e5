// `lutra_matmul` whose weights come as a second stream: for every pixel the NF * SF words, each when its slot needs it. One
// waits in a register, which takes the next one as it gives its own away; in1_ready depends on no valid or ready.
module lutra_matmul_streamed #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int NF = 1,
    parameter int SF = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,  // codes are two's complement
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int BIPOLAR = 0,  // weights are one bit, 0 and 1 for -1 and +1
    parameter int FORM = 0,  // 0 bit planes, 1 selecting adders, 2 multipliers, 3 two products in each, 4 shifts
    parameter int TERMS = 1,  // powers of two in a weight, where that is its form, and what exponents are below
    parameter int REACH = 1,
    parameter int SCALE = 1,  // steps of y in a step of x
    parameter int OBITS = 1,
    parameter int BIASED = 0,
    parameter int DEPTH = 3,  // registers from a slot to its dot product
    parameter BIAS = ""  // NF words of PE codes
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic [SIMD*XBITS-1:0]    in0_data,
    input  logic                     in0_valid,
    output logic                     in0_ready,
    input  logic [PE*SIMD*WBITS-1:0] in1_data,
    input  logic                     in1_valid,
    output logic                     in1_ready,
    output logic [PE*OBITS-1:0]      out_data,
    output logic                     out_valid,
    input  logic                     out_ready
);
    localparam int AT = BIPOLAR != 0 || FORM == 1 ? 3 : 2;
    localparam int TW = NF * SF > 1 ? $clog2(NF * SF) : 1;

    logic en, due, there;
    logic [PE*SIMD*WBITS-1:0] w;
    logic [TW-1:0] unused_tile;
    assign in1_ready = !there || (en && due);
    always_ff @(posedge clk) begin
        if (in1_ready) w <= in1_data;
        if (rst) there <= 1'b0;
        else if (in1_ready) there <= in1_valid;
    end

    lutra_matmul_core #(
        .PE(PE), .SIMD(SIMD), .NF(NF), .SF(SF), .XBITS(XBITS), .XSIGNED(XSIGNED), .WBITS(WBITS), .WSIGNED(WSIGNED),
        .BIPOLAR(BIPOLAR), .FORM(FORM), .TERMS(TERMS), .REACH(REACH), .SCALE(SCALE), .OBITS(OBITS), .BIASED(BIASED),
        .DEPTH(DEPTH), .AT(AT), .BIAS(BIAS)
    ) core (
        .clk, .rst, .in_data(in0_data), .in_valid(in0_valid), .in_ready(in0_ready), .out_data, .out_valid, .out_ready,
        .en, .tile(unused_tile), .due, .w, .w_there(there));
endmodule
