// Gives each word of a stream to SINKS sinks, of which each takes it when it is ready. A word stands at all outputs in
// the same cycle and goes when the last sink has taken it. Two entries as in lutra_skid: full throughput, latency 1,
// all outputs and in_ready from registers. Sink k has bit k of out_valid and out_ready and the k-th word of out_data.
module lutra_fork #(
    parameter int WIDTH = 1,
    parameter int SINKS = 2
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic [      WIDTH-1:0] in_data,
    input  logic                   in_valid,
    output logic                   in_ready,
    output logic [SINKS*WIDTH-1:0] out_data,
    output logic [      SINKS-1:0] out_valid,
    input  logic [      SINKS-1:0] out_ready
);
    logic             full;  // the spare entry holds the word that came while the one at the outputs stood
    logic [WIDTH-1:0] spare, word;
    logic             move;  // no sink has still to take the word at the outputs after this cycle

    assign in_ready = !full;
    assign move     = (out_valid & ~out_ready) == '0;
    assign out_data = {SINKS{word}};

    always_ff @(posedge clk) begin
        if (!full) spare <= in_data;
        if (move) word <= full ? spare : in_data;
        if (rst) begin
            full      <= 1'b0;
            out_valid <= '0;
        end else if (move) begin
            full      <= 1'b0;
            out_valid <= {SINKS{full || in_valid}};
        end else begin
            out_valid <= out_valid & ~out_ready;
            if (in_valid) full <= 1'b1;
        end
    end
endmodule
