// start + SCALE * x by a shift and an adder for each bit of SCALE's magnitude, within the cycle.
module lutra_scaled #(
    parameter int W = 1,
    parameter int SCALE = 1
) (
    input  logic [W-1:0] start,
    input  logic [W-1:0] x,
    output logic [W-1:0] out_data
);
    localparam bit [31:0] SIZE = SCALE < 0 ? -SCALE : SCALE;
    logic [33*W-1:0] sums;
    assign sums[0+:W] = start;
    assign out_data   = sums[32*W+:W];
    generate
        for (genvar k = 0; k < 32; k++) begin : g_bit
            if (SIZE[k] && SCALE < 0) begin : g_less
                assign sums[(k+1)*W+:W] = sums[k*W+:W] - (x << k);
            end else if (SIZE[k]) begin : g_more
                assign sums[(k+1)*W+:W] = sums[k*W+:W] + (x << k);
            end else begin : g_same
                assign sums[(k+1)*W+:W] = sums[k*W+:W];
            end
        end
    endgenerate
endmodule
