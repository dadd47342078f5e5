// A change of binary point for PE channels a cycle: x / 2**SHIFT, rounded, in a type of WIDTH bits (see cast.sv). No
// multiplier. Stages: x; the rounded quotient; the slice, after what leaves the type is dealt with.
module lutra_requant #(
    parameter int PE = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int SHIFT = 0,  // negative: to the left
    parameter int QBITS = 2,  // of the rounded quotient, two's complement, more than WIDTH
    parameter int WIDTH = 1,
    parameter int SIGNED = 0,
    parameter int ROUNDING = 0,
    parameter int OVERFLOW = 0,
    parameter int OBITS = 1
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [PE*XBITS-1:0] in_data,
    input  logic                in_valid,
    output logic                in_ready,
    output logic [PE*OBITS-1:0] out_data,
    output logic                out_valid,
    input  logic                out_ready
);
    logic en;
    logic [1:0] valid_d;
    logic [PE*XBITS-1:0] x;
    logic [PE*OBITS-1:0] code;
    assign in_ready = en;
    always_ff @(posedge clk) begin
        if (rst) valid_d <= '0;
        else if (en) valid_d <= {valid_d[0], in_valid};
        if (en) x <= in_data;
    end

    generate
        for (genvar p = 0; p < PE; p++) begin : g_channel
            logic signed [QBITS-1:0] next, quotient;
            logic next_above, above;
            logic [WIDTH-1:0] kept;
            lutra_rounded #(
                .XBITS(XBITS), .XSIGNED(XSIGNED), .SHIFT(SHIFT), .QBITS(QBITS), .WIDTH(WIDTH), .ROUNDING(ROUNDING)
            ) rounded (.x(x[p*XBITS+:XBITS]), .quotient(next), .above(next_above));
            always_ff @(posedge clk)
                if (en) begin
                    quotient <= next;
                    above    <= next_above;
                end
            lutra_overflowed #(.QBITS(QBITS), .WIDTH(WIDTH), .SIGNED(SIGNED), .OVERFLOW(OVERFLOW)) overflowed (
                .quotient, .above, .kept);
            assign code[p*OBITS+:OBITS] = OBITS'(kept);
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * OBITS)) slice (
        .clk, .rst, .in_data(code), .in_valid(valid_d[1]), .in_ready(en), .out_data, .out_valid, .out_ready);
endmodule
