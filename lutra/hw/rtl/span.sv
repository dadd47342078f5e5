// Counts in rounds: BEFORE steps, INSIDE steps with GAP others between each two of them, AFTER steps. `interior` (a
// register) marks the INSIDE ones.
module lutra_span #(
    parameter int BEFORE = 0,
    parameter int INSIDE = 1,
    parameter int GAP = 0,
    parameter int AFTER = 0
) (
    input  logic clk,
    input  logic rst,
    input  logic step,
    output logic interior,
    output logic last
);
    localparam int REACH = (INSIDE - 1) * (GAP + 1) + 1;  // from the first inside to the last
    localparam int N = BEFORE + REACH + AFTER;
    generate
        if (N == INSIDE) begin : g_all
            assign interior = 1'b1;
            lutra_count #(.N(INSIDE)) place (.*);
        end else begin : g_some
            localparam int CW = $clog2(N);
            logic [CW-1:0] count;
            assign last = count == CW'(N - 1);
            wire enter = last ? BEFORE == 0 : BEFORE != 0 && count == CW'(BEFORE - 1);
            wire leave = last || count == CW'(BEFORE + REACH - 1);
            always_ff @(posedge clk) begin
                if (rst) count <= '0;
                else if (step) count <= last ? '0 : count + 1'b1;
            end
            if (GAP == 0) begin : g_dense
                always_ff @(posedge clk) begin
                    if (rst) interior <= BEFORE == 0;
                    else if (step && enter) interior <= 1'b1;
                    else if (step && leave) interior <= 1'b0;
                end
            end else begin : g_sparse
                logic spanned, again;  // between the first and the last inside; the step after this one is inside again
                lutra_count #(.N(GAP + 1)) gap (.rst(rst || (step && enter)), .last(again), .*);
                always_ff @(posedge clk) begin
                    if (rst) spanned <= BEFORE == 0;
                    else if (step && enter) spanned <= 1'b1;
                    else if (step && leave) spanned <= 1'b0;
                    if (rst) interior <= BEFORE == 0;
                    else if (step) interior <= enter || (spanned && !leave && again);
                end
            end
        end
    endgenerate
endmodule
