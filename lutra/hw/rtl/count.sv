// Counts steps in rounds of N. `last` is a register: the step to come is the last of its round.
module lutra_count #(
    parameter int N = 2
) (
    input  logic clk,
    input  logic rst,
    input  logic step,
    output logic last
);
`ifdef FORMAL
    logic [15:0] place;  // steps of this round that are done
`endif

    generate
        if (N == 1) begin : g_one
            wire unused = &{1'b0, clk, rst, step};
            assign last = 1'b1;
`ifdef FORMAL
            assign place = 0;
`endif
        end else if (N == 2) begin : g_two
            always_ff @(posedge clk) begin
                if (rst) last <= 1'b0;
                else if (step) last <= !last;
            end
`ifdef FORMAL
            assign place = last;
`endif
        end else begin : g_many
            localparam int CW = $clog2(N - 1);
            logic [CW-1:0] count;  // 0 .. N-2, and once more 0 in the last step
            always_ff @(posedge clk) begin
                if (rst) begin
                    count <= '0;
                    last  <= 1'b0;
                end else if (step) begin
                    last  <= count == CW'(N - 2);
                    count <= (last || count == CW'(N - 2)) ? '0 : count + 1'b1;
                end
            end
`ifdef FORMAL
            assign place = last ? N - 1 : count;
            always_ff @(posedge clk) if (!rst) assert (count <= (last ? 0 : N - 2));
`endif
        end
    endgenerate
endmodule
