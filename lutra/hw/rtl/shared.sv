// Two memories that never change, each as an endless stream of its words, in order, from its first one on after reset:
// one a cycle, whatever the other stream does. The BITS high bits of both lie in one block memory, those of the second
// behind those of the first, and each is read through a port of its own. The low OWN bits of each lie beside it (see
// `lutra_rom` for BLOCK).
module lutra_shared #(
    parameter int BITS = 1,
    parameter int WIDTH0 = 1,
    parameter int DEPTH0 = 1,
    parameter int OWN0 = 0,  // WIDTH0 - BITS, or 0 where all is shared
    parameter int BLOCK0 = 0,
    parameter int WIDTH1 = 1,
    parameter int DEPTH1 = 1,
    parameter int OWN1 = 0,
    parameter int BLOCK1 = 0,
    parameter WORDS = "",
    parameter FILE0 = "",
    parameter FILE1 = ""
) (
    input  logic              clk,
    input  logic              rst,
    output logic [WIDTH0-1:0] out0_data,
    output logic              out0_valid,
    input  logic              out0_ready,
    output logic [WIDTH1-1:0] out1_data,
    output logic              out1_valid,
    input  logic              out1_ready
);
    localparam int DEPTH = DEPTH0 + DEPTH1;
    localparam int AW = $clog2(DEPTH);

    (* rom_style = "block", syn_romstyle = "block_rom" *) logic [BITS-1:0] words[DEPTH];
    initial $readmemh(WORDS, words);

    logic en0, en1;
    logic [AW-1:0] index0, index1;
    logic [BITS-1:0] high0, high1;
    lutra_addresses #(.AW(AW), .FROM(0), .TO(DEPTH0 - 1)) addresses0 (
        .clk, .rst, .en(en0), .index(index0), .valid(out0_valid), .ready(out0_ready));
    lutra_addresses #(.AW(AW), .FROM(DEPTH0), .TO(DEPTH - 1)) addresses1 (
        .clk, .rst, .en(en1), .index(index1), .valid(out1_valid), .ready(out1_ready));
    always_ff @(posedge clk) if (en0) high0 <= words[index0];
    always_ff @(posedge clk) if (en1) high1 <= words[index1];

    lutra_beside #(.WIDTH(WIDTH0), .BITS(BITS), .OWN(OWN0), .DEPTH(DEPTH0), .BLOCK(BLOCK0), .FILE(FILE0)) beside0 (
        .clk, .rst, .en(en0), .high(high0), .out_data(out0_data));
    lutra_beside #(.WIDTH(WIDTH1), .BITS(BITS), .OWN(OWN1), .DEPTH(DEPTH1), .BLOCK(BLOCK1), .FILE(FILE1)) beside1 (
        .clk, .rst, .en(en1), .high(high1), .out_data(out1_data));
endmodule

// The addresses from FROM to TO, over and over, and the handshake of the word that was read at the last one.
module lutra_addresses #(
    parameter int AW = 1,
    parameter int FROM = 0,
    parameter int TO = 0
) (
    input  logic          clk,
    input  logic          rst,
    output logic          en,
    output logic [AW-1:0] index,
    output logic          valid,
    input  logic          ready
);
    assign en = !valid || ready;
    always_ff @(posedge clk)
        if (rst) begin
            index <= AW'(FROM);
            valid <= 1'b0;
        end else if (en) begin
            index <= index == AW'(TO) ? AW'(FROM) : index + 1'b1;
            valid <= 1'b1;
        end
endmodule

// Words whose OWN low bits are read here, from their first one on after reset, and whose other bits come as `high`.
module lutra_beside #(
    parameter int WIDTH = 1,
    parameter int BITS = 1,
    parameter int OWN = 0,
    parameter int DEPTH = 1,
    parameter int BLOCK = 0,
    parameter FILE = ""
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             en,
    input  logic [ BITS-1:0] high,
    output logic [WIDTH-1:0] out_data
);
    generate
        if (OWN == 0) begin : g_none
            logic unused;
            assign unused   = &{1'b0, rst, en, high};
            assign out_data = high[WIDTH-1:0];
        end else begin : g_own
            localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
            logic [AW-1:0] index;
            logic [OWN-1:0] low;
            always_ff @(posedge clk)
                if (rst) index <= '0;
                else if (en) index <= index == AW'(DEPTH - 1) ? '0 : index + 1'b1;
            lutra_rom #(.WIDTH(OWN), .DEPTH(DEPTH), .BLOCK(BLOCK), .FILE(FILE)) own (.clk, .en, .index, .out_data(low));
            assign out_data = {high, low};
        end
    endgenerate
endmodule
