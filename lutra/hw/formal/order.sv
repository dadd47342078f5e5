// The property set of a unit that passes elements on unchanged and in order, in words of IN_LANES in and OUT_LANES out.
// Any one element is tracked from its taking to its leaving, chosen by the solver: so none is lost, repeated, altered
// or out of order. `ahead` is how many elements leave before it. A unit's own invariants tie this to its registers.
module formal_order #(
    parameter int BITS = 1,
    parameter int IN_LANES = 1,
    parameter int OUT_LANES = 1,
    parameter int PATIENCE = 4
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic [ IN_LANES*BITS-1:0] in_data,
    input  logic                      in_valid,
    input  logic                      in_ready,
    input  logic [OUT_LANES*BITS-1:0] out_data,
    input  logic                      out_valid,
    input  logic                      out_ready,
    output logic [              15:0] count,  // elements inside
    output logic                      tracked,
    output logic [              15:0] ahead,
    output logic [          BITS-1:0] value
);
    (* anyseq *) logic pick;
    (* anyseq *) logic [15:0] lane;
    wire push = in_valid && in_ready;
    wire take = out_valid && out_ready;
    wire ours = tracked && ahead < OUT_LANES;

    formal_rules #(.OUT_WIDTH(OUT_LANES * BITS), .PATIENCE(PATIENCE)) rules (.*);

    always_ff @(posedge clk) begin
        assume (lane < IN_LANES);
        if (rst) begin
            count   <= 0;
            tracked <= 0;
        end else begin
            count <= count + (push ? IN_LANES : 0) - (take ? OUT_LANES : 0);
            if (take && ours) tracked <= 0;
            if (take && !ours) ahead <= ahead - OUT_LANES;
            if (push && pick && !tracked) begin
                tracked <= 1;
                ahead   <= count + lane - (take ? OUT_LANES : 0);
                value   <= BITS'(in_data >> (lane * BITS));
            end
            if (take) assert (count >= OUT_LANES);
            if (take && ours) assert (BITS'(out_data >> (ahead * BITS)) == value);
            if (tracked) assert (ahead < count);
        end
    end
endmodule

// The rules of a stream, asserted of what goes out and not even assumed of what comes in; and that a unit never stands
// still for more than PATIENCE cycles while both its neighbours are willing.
module formal_rules #(
    parameter int OUT_WIDTH = 1,
    parameter int PATIENCE = 4
) (
    input logic                 clk,
    input logic                 rst,
    input logic                 in_valid,
    input logic                 in_ready,
    input logic [OUT_WIDTH-1:0] out_data,
    input logic                 out_valid,
    input logic                 out_ready
);
    logic begun = 0;  // past the first cycle, which is a reset
    logic was_reset, out_stood;
    logic [OUT_WIDTH-1:0] out_was;
    logic [7:0] still;

    always_ff @(posedge clk) begin
        begun <= 1;
        was_reset <= rst;
        out_stood <= out_valid && !out_ready && !rst;
        out_was <= out_data;
        still <= (rst || !in_valid || !out_ready || in_ready || out_valid) ? 0 : still + 1;
        if (!begun) assume (rst);
        if (begun) begin
            if (out_stood) assert (out_valid && out_data == out_was);
            if (was_reset) assert (!out_valid);
            assert (still <= PATIENCE);
        end
    end
endmodule
