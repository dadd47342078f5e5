// A memory that never changes, read from FILE; one register after `index`. With one word it is a constant.
module lutra_rom #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1,
    parameter int BLOCK = 0,
    parameter FILE = "",
    parameter int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic             clk,
    input  logic             en,
    input  logic [AW-1:0]    index,
    output logic [WIDTH-1:0] out_data
);
    generate
        if (DEPTH == 1) begin : g_constant
            logic [WIDTH-1:0] words[1];
            initial $readmemh(FILE, words);
            assign out_data = words[0];
            logic unused_ports;
            assign unused_ports = &{1'b0, clk, en, index};
        end else if (BLOCK != 0) begin : g_block
            (* rom_style = "block", syn_romstyle = "block_rom" *) logic [WIDTH-1:0] words[DEPTH];
            initial $readmemh(FILE, words);
            always_ff @(posedge clk) if (en) out_data <= words[index];
        end else begin : g_lut
            (* rom_block = "logic", rom_style = "distributed", syn_romstyle = "logic" *) logic [WIDTH-1:0] words[DEPTH];
            initial $readmemh(FILE, words);
            always_ff @(posedge clk) if (en) out_data <= words[index];
        end
    endgenerate
endmodule
