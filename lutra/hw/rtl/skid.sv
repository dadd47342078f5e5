// Register slice of two entries, full throughput, latency 1. out_* and in_ready come from registers, so it cuts
// every path between its two sides.
module lutra_skid #(
    parameter int WIDTH = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic [WIDTH-1:0] in_data,
    input  logic             in_valid,
    output logic             in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic             out_valid,
    input  logic             out_ready
);
    logic             full;  // the spare entry holds the word that came while the output stood still
    logic [WIDTH-1:0] spare;

    assign in_ready = !full;

    always_ff @(posedge clk) begin
        if (!full) spare <= in_data;
        if (!out_valid || out_ready) out_data <= full ? spare : in_data;
        if (rst) begin
            full      <= 1'b0;
            out_valid <= 1'b0;
        end else if (!out_valid || out_ready) begin
            full      <= 1'b0;
            out_valid <= full || in_valid;
        end else if (in_valid) begin
            full <= 1'b1;
        end
    end

`ifdef FORMAL
    logic [15:0] count, ahead;
    logic tracked;
    logic [WIDTH-1:0] value;
    formal_order #(.BITS(WIDTH), .IN_LANES(1), .OUT_LANES(1)) order (.*);

    always_ff @(posedge clk) begin
        if (!rst) begin
            assert (count == full + out_valid);
            assert (out_valid || !full);
            if (tracked) assert ((ahead == 0 ? out_data : spare) == value);
        end
    end
`endif
endmodule
