// Takes COLUMNS pixels of WORDS words and gives each pixel COPIES times, and all of that LINES times. A word is taken
// where it goes out first and kept in a memory for the other times: so one row of the frame is all that is stored.
// Latency 2, with block RAM 3.
module lutra_upsample #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int COPIES = 1,
    parameter int COLUMNS = 1,
    parameter int LINES = 1,
    parameter int BLOCK = 0
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
    localparam int DEPTH = WORDS * COLUMNS;

    logic word_last, copy_last, column_last, line_last;
    logic first_copy, first_line;  // of this pixel; of this row
    logic room, valid;
    logic [WIDTH-1:0] word;

    wire fresh = first_copy && first_line;  // the step to come takes a word
    wire step = room && (!fresh || in_valid);
    wire copy_end = step && word_last;
    wire pixel_end = copy_end && copy_last;
    wire row_end = pixel_end && column_last;
    assign in_ready = fresh && room;

    lutra_count #(.N(WORDS)) in_word (.last(word_last), .*);
    lutra_count #(.N(COPIES)) copy (.step(copy_end), .last(copy_last), .*);
    lutra_count #(.N(COLUMNS)) column (.step(pixel_end), .last(column_last), .*);
    lutra_count #(.N(LINES)) line (.step(row_end), .last(line_last), .*);

    always_ff @(posedge clk) begin
        if (rst) begin
            first_copy <= 1'b1;
            first_line <= 1'b1;
        end else begin
            if (copy_end) first_copy <= copy_last;
            if (row_end) first_line <= line_last;
        end
        if (rst) valid <= 1'b0;
        else if (room) valid <= step;
    end

    generate
        if (DEPTH == 1) begin : g_one
            always_ff @(posedge clk) if (step && fresh) word <= in_data;
            lutra_skid #(.WIDTH(WIDTH)) slice (.in_data(word), .in_valid(valid), .in_ready(room), .*);
        end else begin : g_row
            localparam int AW = $clog2(DEPTH);
            logic [AW-1:0] place, fresh_place;  // of the step to come; the same while it takes a word
            logic [WIDTH-1:0] passed, fetched;
            logic passes;  // `passed` is the word, and not yet `fetched`

            always_ff @(posedge clk) begin
                if (rst) place <= '0;
                else if (row_end) place <= '0;
                else if (step) place <= place + ((word_last && !copy_last) ? AW'(1 - WORDS) : AW'(1));
                // A register of its own: Yosys 0.70 makes RAMs with a single port of one address, and fails on UltraScale+.
                if (rst) fresh_place <= '0;
                else if (row_end) fresh_place <= '0;
                else if (step && fresh) fresh_place <= fresh_place + 1'b1;
                if (room) passed <= in_data;
                if (room) passes <= fresh;
            end
`ifdef FORMAL
            wire [AW-1:0] look = '0;
            wire [WIDTH-1:0] seen;
`endif
            lutra_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(BLOCK)) row (
                .write(step && fresh), .waddr(fresh_place), .fetch(room), .raddr(place), .*
            );
            wire [WIDTH-1:0] now = passes ? passed : fetched;
            if (BLOCK != 0) begin : g_block  // is slow to answer
                logic late;
                always_ff @(posedge clk) begin
                    if (room) word <= now;
                    if (rst) late <= 1'b0;
                    else if (room) late <= valid;
                end
                lutra_skid #(.WIDTH(WIDTH)) slice (.in_data(word), .in_valid(late), .in_ready(room), .*);
            end else begin : g_lut
                assign word = now;
                lutra_skid #(.WIDTH(WIDTH)) slice (.in_data(word), .in_valid(valid), .in_ready(room), .*);
            end
        end
    endgenerate

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(WIDTH)) rules (.*);
`endif
endmodule
