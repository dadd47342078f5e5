// The words of a memory as an endless stream, in order, from its first one on after reset: one a cycle. The memory can be
// written while `rst` is high, in parts of 32 bits: address BASE + 4 * (2**PW * word + part), PW = clog2 of the parts of
// a word, which is stored when its last part comes. It wakes up with what WORDS holds; in UltraRAM, which can hold
// nothing then, with anything.
module lutra_weights #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1,
    parameter int PLACE = 0,  // 0: LUT RAM, 1: block RAM, 2: UltraRAM
    parameter int BASE = 0,  // a multiple of the window's size
    parameter int ADDRESS = 8,  // bits of an address; above those of the window
    parameter WORDS = ""
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               write,
    input  logic [ADDRESS-1:0] address,
    input  logic [       31:0] value,
    output logic [  WIDTH-1:0] out_data,
    output logic               out_valid,
    input  logic               out_ready
);
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam int PARTS = (WIDTH + 31) / 32;
    localparam int PW = $clog2(PARTS);
    localparam int WINDOW = 2 + PW + (DEPTH > 1 ? AW : 0);

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

    logic hit, store;
    logic [AW-1:0] row;
    logic [32*PARTS-1:0] parts;
    initial store = 1'b0;  // nothing is stored at power-up
    assign hit = write && address[ADDRESS-1:WINDOW] == (ADDRESS-WINDOW)'(BASE >> WINDOW);
    always_ff @(posedge clk) begin
        store <= hit && (address >> 2) % (1 << PW) == ADDRESS'(PARTS - 1);
        row   <= DEPTH > 1 ? AW'(address >> (2 + PW)) : '0;
        for (int p = 0; p < PARTS; p++)
            if (hit && (address >> 2) % (1 << PW) == ADDRESS'(p)) parts[32*p+:32] <= value;
    end

    logic unused_bits;
    assign unused_bits = &{1'b0, parts};
    generate
        if (PLACE == 1) begin : g_block
            (* ram_style = "block", no_rw_check *) logic [WIDTH-1:0] words[DEPTH];
            initial $readmemh(WORDS, words);
            always_ff @(posedge clk) begin
                if (store) words[row] <= parts[WIDTH-1:0];
                if (en) out_data <= words[index];
            end
        end else if (PLACE == 2) begin : g_ultra
            // One address, as nothing is read while words are written: a block of two ports is twice as wide with one.
            (* ram_style = "ultra", no_rw_check *) logic [WIDTH-1:0] words[DEPTH];
            logic [AW-1:0] at;
            assign at = store ? row : index;
            always_ff @(posedge clk)
                if (store) words[at] <= parts[WIDTH-1:0];
                else if (en) out_data <= words[at];
        end else begin : g_lut
            (* ram_style = "distributed", no_rw_check *) logic [WIDTH-1:0] words[DEPTH];
            initial $readmemh(WORDS, words);
            always_ff @(posedge clk) begin
                if (store) words[row] <= parts[WIDTH-1:0];
                if (en) out_data <= words[index];
            end
        end
    endgenerate
endmodule
