// A border of a constant around each frame, and GAPs of it between its rows and columns. Codes inside become ADD + MUL * code (modulo 2**OUT_BITS): the output's
// range may have another origin, step or sign than the input's. Latency 1. A frame's border waits for its first word,
// so that nothing leaves before something came.
module lutra_pad #(
    parameter int IN_BITS = 1,
    parameter int IN_SIGNED = 0,
    parameter int OUT_BITS = 1,
    parameter logic [63:0] MUL = 1,
    parameter logic [63:0] ADD = 0,
    parameter logic [63:0] BORDER = 0,  // the constant's code
    parameter int LANES = 1,
    parameter int WORDS = 1,  // words a pixel
    parameter int HEIGHT = 1,
    parameter int COLUMNS = 1,
    parameter int TOP = 0,
    parameter int LEFT = 0,
    parameter int BOTTOM = 0,
    parameter int RIGHT = 0,
    parameter int ROW_GAP = 0,
    parameter int COLUMN_GAP = 0
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic [ LANES*IN_BITS-1:0] in_data,
    input  logic                      in_valid,
    output logic                      in_ready,
    output logic [LANES*OUT_BITS-1:0] out_data,
    output logic                      out_valid,
    input  logic                      out_ready
);
    logic [LANES*OUT_BITS-1:0] codes;
    logic word_last, column_last, in_columns, in_rows, interior, room, step;
    logic row_last, column_end, ready;
    logic start;  // a frame begins: not before its first word is there, though it is not taken yet

    assign interior = in_columns && in_rows;
    assign in_ready = interior && room;
    assign ready = in_valid || !(interior || start);
    assign step = room && ready;
    assign column_end = step && word_last && column_last;

    always_ff @(posedge clk) begin
        if (rst) start <= 1'b1;
        else if (step) start <= column_end && row_last;
    end

    lutra_count #(.N(WORDS)) word (.last(word_last), .*);
    lutra_span #(.BEFORE(LEFT), .INSIDE(COLUMNS), .GAP(COLUMN_GAP), .AFTER(RIGHT)) column (
        .step(step && word_last), .interior(in_columns), .last(column_last), .*
    );
    lutra_span #(.BEFORE(TOP), .INSIDE(HEIGHT), .GAP(ROW_GAP), .AFTER(BOTTOM)) row (
        .step(column_end), .interior(in_rows), .last(row_last), .*
    );

    generate
        for (genvar i = 0; i < LANES; i++) begin : g_lane
            wire [IN_BITS-1:0] code = in_data[i*IN_BITS+:IN_BITS];
            if (IN_BITS == 1) begin : g_bit  // two constants: no adder
                localparam logic [63:0] ONE = IN_SIGNED != 0 ? ADD - MUL : ADD + MUL;
                assign codes[i*OUT_BITS+:OUT_BITS] = code[0] ? ONE[OUT_BITS-1:0] : ADD[OUT_BITS-1:0];
            end else begin : g_affine
                wire [OUT_BITS-1:0] wide;
                if (OUT_BITS > IN_BITS) begin : g_extend
                    wire sign = IN_SIGNED != 0 && code[IN_BITS-1];
                    assign wide = {{(OUT_BITS - IN_BITS) {sign}}, code};
                end else begin : g_fits
                    assign wide = code;
                end
                assign codes[i*OUT_BITS+:OUT_BITS] = ADD[OUT_BITS-1:0] + MUL[OUT_BITS-1:0] * wide;
            end
        end
    endgenerate

    lutra_skid #(.WIDTH(LANES * OUT_BITS)) slice (
        .in_data (interior ? codes : {LANES{BORDER[OUT_BITS-1:0]}}),
        .in_valid(ready),
        .in_ready(room),
        .*
    );

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(LANES * OUT_BITS)) rules (.*);
`endif
endmodule
