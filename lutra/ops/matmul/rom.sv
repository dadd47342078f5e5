// A memory that never changes, read from FILE; one register after `index`, two where HELD. With one word it is a constant.
//
// BLOCK puts it into block RAM, in slices of so many bits and banks of 16384 words: as wide and as deep as one block is, so
// that none lies behind another with a multiplexer after a slow memory. Banks are chosen after the last register. Slice
// and bank have files of their own, FILE_000.hex and so on, bank by bank; where one slice is the whole word, it is
// FILE itself, and how it is cut is left to synthesis.
module lutra_rom #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1,
    parameter int BLOCK = 0,
    parameter int HELD = 0,
    parameter FILE = "",
    parameter int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic             clk,
    input  logic             en,
    input  logic [AW-1:0]    index,
    output logic [WIDTH-1:0] out_data
);
    localparam int BANK = BLOCK < WIDTH ? 16384 : DEPTH;
    localparam int BANKS = (DEPTH + BANK - 1) / BANK;
    localparam int SLICES = BLOCK != 0 ? (WIDTH + BLOCK - 1) / BLOCK : 1;
    localparam int BW = BANK < DEPTH ? $clog2(BANK) : AW;

    logic [BANKS*WIDTH-1:0] fetched, held;
    generate
        if (DEPTH == 1) begin : g_constant
            logic [WIDTH-1:0] words[1];
            initial $readmemh(FILE, words);
            assign fetched = words[0];
        end else if (BLOCK == 0) begin : g_lut
            (* rom_block = "logic", rom_style = "distributed", syn_romstyle = "logic" *) logic [WIDTH-1:0] words[DEPTH];
            initial $readmemh(FILE, words);
            always_ff @(posedge clk) if (en) fetched <= words[index];
        end else if (BLOCK >= WIDTH) begin : g_block
            (* rom_style = "block", syn_romstyle = "block_rom" *) logic [WIDTH-1:0] words[DEPTH];
            initial $readmemh(FILE, words);
            always_ff @(posedge clk) if (en) fetched <= words[index];
        end else begin : g_slices
            for (genvar b = 0; b < BANKS; b++) begin : g_bank
                localparam int WORDS = b < BANKS - 1 ? BANK : DEPTH - b * BANK;
                for (genvar s = 0; s < SLICES; s++) begin : g_slice
                    localparam int BITS = s < SLICES - 1 ? BLOCK : WIDTH - s * BLOCK;
                    localparam int K = b * SLICES + s;
                    (* rom_style = "block", syn_romstyle = "block_rom" *) logic [BITS-1:0] words[WORDS];
                    initial $readmemh({FILE, "_", 8'(48 + K / 100), 8'(48 + K / 10 % 10), 8'(48 + K % 10), ".hex"}, words);
                    always_ff @(posedge clk) if (en) fetched[b*WIDTH+s*BLOCK+:BITS] <= words[index[BW-1:0]];
                end
            end
        end

        if (HELD != 0) begin : g_held
            always_ff @(posedge clk) if (en) held <= fetched;
        end else begin : g_fetched
            assign held = fetched;
        end

        if (BANKS == 1) begin : g_one
            assign out_data = held;
        end else begin : g_banks
            logic [AW-1:0] place, place_held;  // of what was fetched, and is held
            always_ff @(posedge clk) if (en) place <= index;
            if (HELD != 0) begin : g_late
                always_ff @(posedge clk) if (en) place_held <= place;
            end else begin : g_now
                assign place_held = place;
            end
            assign out_data = held[place_held[AW-1:BW]*WIDTH+:WIDTH];
        end
    endgenerate
endmodule
