// The words of a memory as an endless stream, in order, from its first one on after reset: one a cycle.
module lutra_weights #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1,
    parameter int BLOCK = 0,  // see lutra_rom
    parameter WORDS = ""
) (
    input  logic             clk,
    input  logic             rst,
    output logic [WIDTH-1:0] out_data,
    output logic             out_valid,
    input  logic             out_ready
);
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
    logic en;
    logic [AW-1:0] index;
    assign en = !out_valid || out_ready;
    always_ff @(posedge clk)
        if (rst) begin
            index     <= '0;
            out_valid <= 1'b0;
        end else if (en) begin
            index     <= index == AW'(DEPTH - 1) ? '0 : index + 1'b1;
            out_valid <= 1'b1;
        end
    lutra_rom #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(BLOCK), .FILE(WORDS)) memory (.clk, .en, .index, .out_data);
endmodule
