// A box of each frame; words outside it are taken and dropped. Latency 1.
module lutra_slice #(
    parameter int WIDTH = 1,
    parameter int WORD = 0,  // words of a pixel before those that are kept, that are kept, after them
    parameter int WORDS = 1,
    parameter int WORDS_AFTER = 0,
    parameter int LEFT = 0,
    parameter int COLUMNS = 1,
    parameter int RIGHT = 0,
    parameter int TOP = 0,
    parameter int ROWS = 1,
    parameter int BOTTOM = 0
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
    logic in_words, in_columns, in_rows, word_last, column_last, row_last;

    wire step = in_valid && in_ready;
    wire pixel_end = step && word_last;
    wire row_end = pixel_end && column_last;

    lutra_span #(.BEFORE(WORD), .INSIDE(WORDS), .AFTER(WORDS_AFTER)) word (
        .interior(in_words), .last(word_last), .*
    );
    lutra_span #(.BEFORE(LEFT), .INSIDE(COLUMNS), .AFTER(RIGHT)) column (
        .step(pixel_end), .interior(in_columns), .last(column_last), .*
    );
    lutra_span #(.BEFORE(TOP), .INSIDE(ROWS), .AFTER(BOTTOM)) row (
        .step(row_end), .interior(in_rows), .last(row_last), .*
    );

    lutra_skid #(.WIDTH(WIDTH)) slice (.in_valid(in_valid && in_words && in_columns && in_rows), .*);

    wire unused = &{1'b0, row_last};

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(WIDTH)) rules (.*);
`endif
endmodule
