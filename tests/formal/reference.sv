// What operators with frames must give, written another way: an output word since reset, chosen by the solver (as its
// place in the frame's loops, so that nothing has to be divided), is followed back to the input words that it is made of.

module reference_window #(
    parameter int WIDTH = 2, WORDS = 1, ROW = 2, ROWS = 2, NEED = 1, FREE = 1, FREE_LAST = 1, DEBT = 0, KH = 1, KW = 1,
    parameter int OUT_ROWS = 1, OUT_COLUMNS = 1, STEP_KW = 0, STEP_KH = 0, STEP_COLUMN = 0, STEP_ROW = 0,
    parameter int STEP_FRAME = 0, BLOCK = 0,
    parameter int HEIGHT = 1, SH = 1, SW = 1, DH = 1, DW = 1
) (
    input logic clk, rst, in_valid, out_ready, input logic [WIDTH-1:0] in_data,
    output logic in_ready, out_valid, output logic [WIDTH-1:0] out_data
);
    lutra_window #(
        .WIDTH(WIDTH), .WORDS(WORDS), .ROW(ROW), .ROWS(ROWS), .NEED(NEED), .FREE(FREE), .FREE_LAST(FREE_LAST),
        .DEBT(DEBT), .KH(KH), .KW(KW), .OUT_ROWS(OUT_ROWS), .OUT_COLUMNS(OUT_COLUMNS), .STEP_KW(STEP_KW),
        .STEP_KH(STEP_KH), .STEP_COLUMN(STEP_COLUMN), .STEP_ROW(STEP_ROW), .STEP_FRAME(STEP_FRAME), .BLOCK(BLOCK)
    ) unit (.*);

    (* anyconst *) logic [5:0] frame, y, x, kh, kw, c;
    wire [5:0] wanted = ((((frame * OUT_ROWS + y) * OUT_COLUMNS + x) * KH + kh) * KW + kw) * WORDS + c;
    wire [5:0] source = (frame * HEIGHT + y * SH + kh * DH) * ROW + (x * SW + kw * DW) * WORDS + c;

    logic [5:0] taken, given;
    logic seen;
    logic [WIDTH-1:0] value;
    always_ff @(posedge clk) begin
        assume (frame < 4 && y < OUT_ROWS && x < OUT_COLUMNS && kh < KH && kw < KW && c < WORDS);
        if (rst) {taken, given, seen} <= 0;
        else begin
            if (in_valid && in_ready) taken <= taken + 1;
            if (out_valid && out_ready) given <= given + 1;
            if (in_valid && in_ready && taken == source) {seen, value} <= {1'b1, in_data};
            if (out_valid && given == wanted) assert (seen && out_data == value);
        end
    end
endmodule

module reference_pad #(
    parameter int IN_BITS = 1, IN_SIGNED = 0, OUT_BITS = 1,
    parameter logic [63:0] MUL = 1, ADD = 0, BORDER = 0,
    parameter int LANES = 1, WORDS = 1, HEIGHT = 1, COLUMNS = 1, TOP = 0, LEFT = 0, BOTTOM = 0, RIGHT = 0,
    parameter int ROW_GAP = 0, COLUMN_GAP = 0
) (
    input logic clk, rst, in_valid, out_ready, input logic [LANES*IN_BITS-1:0] in_data,
    output logic in_ready, out_valid, output logic [LANES*OUT_BITS-1:0] out_data
);
    lutra_pad #(
        .IN_BITS(IN_BITS), .IN_SIGNED(IN_SIGNED), .OUT_BITS(OUT_BITS), .MUL(MUL), .ADD(ADD), .BORDER(BORDER),
        .LANES(LANES), .WORDS(WORDS), .HEIGHT(HEIGHT), .COLUMNS(COLUMNS), .TOP(TOP), .LEFT(LEFT), .BOTTOM(BOTTOM),
        .RIGHT(RIGHT), .ROW_GAP(ROW_GAP), .COLUMN_GAP(COLUMN_GAP)
    ) unit (.*);

    localparam int WIDE = LEFT + (COLUMNS - 1) * (COLUMN_GAP + 1) + 1 + RIGHT;
    localparam int HIGH = TOP + (HEIGHT - 1) * (ROW_GAP + 1) + 1 + BOTTOM;
    (* anyconst *) logic [5:0] frame, y, x, c, lane;
    wire [5:0] wanted = ((frame * HIGH + y) * WIDE + x) * WORDS + c;
    wire [5:0] column = (x - LEFT) / (COLUMN_GAP + 1), row = (y - TOP) / (ROW_GAP + 1);
    wire inner = x >= LEFT && column < COLUMNS && (x - LEFT) % (COLUMN_GAP + 1) == 0
              && y >= TOP && row < HEIGHT && (y - TOP) % (ROW_GAP + 1) == 0;
    wire [5:0] source = ((frame * HEIGHT + row) * COLUMNS + column) * WORDS + c;

    logic [5:0] taken, given;
    logic seen;
    logic [IN_BITS-1:0] code;
    wire [OUT_BITS-1:0] wide = IN_SIGNED != 0 ? OUT_BITS'($signed(code)) : OUT_BITS'(code);
    wire [OUT_BITS-1:0] got = OUT_BITS'(out_data >> (lane * OUT_BITS));
    always_ff @(posedge clk) begin
        assume (frame < 4 && y < HIGH && x < WIDE && c < WORDS && lane < LANES);
        if (rst) {taken, given, seen} <= 0;
        else begin
            if (in_valid && in_ready) taken <= taken + 1;
            if (out_valid && out_ready) given <= given + 1;
            if (in_valid && in_ready && taken == source) {seen, code} <= {1'b1, IN_BITS'(in_data >> (lane * IN_BITS))};
            if (out_valid && given == wanted && !inner) assert (got == OUT_BITS'(BORDER));
            if (out_valid && given == wanted && inner) assert (seen && got == OUT_BITS'(ADD + MUL * wide));
        end
    end
endmodule

module reference_maxreduce #(
    parameter int BITS = 1, SIGNED = 0, LANES = 1, WORDS = 1, WINDOW = 1
) (
    input logic clk, rst, in_valid, out_ready, input logic [LANES*BITS-1:0] in_data,
    output logic in_ready, out_valid, output logic [LANES*BITS-1:0] out_data
);
    lutra_maxreduce #(.BITS(BITS), .SIGNED(SIGNED), .LANES(LANES), .WORDS(WORDS), .WINDOW(WINDOW)) unit (.*);

    (* anyconst *) logic [5:0] pixel, c, lane;
    wire [5:0] wanted = pixel * WORDS + c;
    logic [5:0] taken, given, parts;  // parts: pixels of the window that have come
    logic [BITS-1:0] best;
    wire [BITS-1:0] code = BITS'(in_data >> (lane * BITS));
    wire more = SIGNED != 0 ? $signed(code) >= $signed(best) : code >= best;
    wire ours = parts < WINDOW && taken == (pixel * WINDOW + parts) * WORDS + c;
    always_ff @(posedge clk) begin
        assume (pixel < 8 && c < WORDS && lane < LANES);
        if (rst) {taken, given, parts} <= 0;
        else begin
            if (in_valid && in_ready) taken <= taken + 1;
            if (out_valid && out_ready) given <= given + 1;
            if (in_valid && in_ready && ours) parts <= parts + 1;
            if (in_valid && in_ready && ours && (parts == 0 || more)) best <= code;
            if (out_valid && given == wanted) assert (parts == WINDOW && BITS'(out_data >> (lane * BITS)) == best);
        end
    end
endmodule

module reference_argmax #(
    parameter int BITS = 1, SIGNED = 0, LANES = 1, WORDS = 1, INDEX_BITS = 1
) (
    input logic clk, rst, in_valid, out_ready, input logic [LANES*BITS-1:0] in_data,
    output logic in_ready, out_valid, output logic [INDEX_BITS-1:0] out_data
);
    lutra_argmax #(
        .BITS(BITS), .SIGNED(SIGNED), .LANES(LANES), .WORDS(WORDS), .INDEX_BITS(INDEX_BITS)
    ) unit (.*);

    (* anyconst *) logic [5:0] wanted;
    (* anyconst *) logic [5:0] rival;  // a channel: none is larger than the winner, none before it is as large
    logic [5:0] taken, given;
    logic [WORDS*LANES*BITS-1:0] pixel;
    wire [BITS-1:0] won = BITS'(pixel >> (out_data * BITS)), other = BITS'(pixel >> (rival * BITS));
    wire above = SIGNED != 0 ? $signed(other) > $signed(won) : other > won;
    always_ff @(posedge clk) begin
        assume (wanted < 8 && rival < WORDS * LANES);
        if (rst) {taken, given} <= 0;
        else begin
            if (in_valid && in_ready) taken <= taken + 1;
            if (out_valid && out_ready) given <= given + 1;
            if (in_valid && in_ready && taken >= wanted * WORDS && taken < (wanted + 1) * WORDS)
                pixel <= (WORDS*LANES*BITS)'({in_data, pixel} >> (LANES * BITS));
            if (out_valid && given == wanted) begin
                assert (taken >= (wanted + 1) * WORDS && out_data < WORDS * LANES);
                assert (!above && (other != won || rival >= out_data));
            end
        end
    end
endmodule

// Of an output word and the input word that it is, as their numbers since reset.
module reference_same #(
    parameter int WIDTH = 1
) (
    input logic clk, rst, in_valid, in_ready, out_valid, out_ready, input logic [WIDTH-1:0] in_data, out_data,
    input logic [5:0] wanted, source
);
    logic [5:0] taken, given;
    logic seen;
    logic [WIDTH-1:0] value;
    always_ff @(posedge clk) begin
        if (rst) {taken, given, seen} <= 0;
        else begin
            if (in_valid && in_ready) taken <= taken + 1;
            if (out_valid && out_ready) given <= given + 1;
            if (in_valid && in_ready && taken == source) {seen, value} <= {1'b1, in_data};
            if (out_valid && given == wanted) assert (seen && out_data == value);
        end
    end
endmodule

module reference_slice #(
    parameter int WIDTH = 1, WORD = 0, WORDS = 1, WORDS_AFTER = 0, LEFT = 0, COLUMNS = 1, RIGHT = 0,
    parameter int TOP = 0, ROWS = 1, BOTTOM = 0
) (
    input logic clk, rst, in_valid, out_ready, input logic [WIDTH-1:0] in_data,
    output logic in_ready, out_valid, output logic [WIDTH-1:0] out_data
);
    lutra_slice #(
        .WIDTH(WIDTH), .WORD(WORD), .WORDS(WORDS), .WORDS_AFTER(WORDS_AFTER), .LEFT(LEFT), .COLUMNS(COLUMNS),
        .RIGHT(RIGHT), .TOP(TOP), .ROWS(ROWS), .BOTTOM(BOTTOM)
    ) unit (.*);

    (* anyconst *) logic [5:0] frame, y, x, c;
    wire [5:0] wanted = ((frame * ROWS + y) * COLUMNS + x) * WORDS + c;
    wire [5:0] row = (frame * (TOP + ROWS + BOTTOM) + TOP + y) * (LEFT + COLUMNS + RIGHT);
    wire [5:0] source = (row + LEFT + x) * (WORD + WORDS + WORDS_AFTER) + WORD + c;
    reference_same #(.WIDTH(WIDTH)) same (.*);
    always_ff @(posedge clk) assume (frame < 2 && y < ROWS && x < COLUMNS && c < WORDS);
endmodule

module reference_upsample #(
    parameter int WIDTH = 1, WORDS = 1, COPIES = 1, COLUMNS = 1, LINES = 1, BLOCK = 0
) (
    input logic clk, rst, in_valid, out_ready, input logic [WIDTH-1:0] in_data,
    output logic in_ready, out_valid, output logic [WIDTH-1:0] out_data
);
    lutra_upsample #(
        .WIDTH(WIDTH), .WORDS(WORDS), .COPIES(COPIES), .COLUMNS(COLUMNS), .LINES(LINES), .BLOCK(BLOCK)
    ) unit (.*);

    (* anyconst *) logic [5:0] y, line, x, copy, c;
    wire [5:0] wanted = (((y * LINES + line) * COLUMNS + x) * COPIES + copy) * WORDS + c;
    wire [5:0] source = (y * COLUMNS + x) * WORDS + c;
    reference_same #(.WIDTH(WIDTH)) same (.*);
    always_ff @(posedge clk) assume (y < 3 && line < LINES && x < COLUMNS && copy < COPIES && c < WORDS);
endmodule

module reference_reorder #(
    parameter int BITS = 1, LANES = 1, BLOCK = 1, RAM = 0, FIRST = 0, COUNT1 = 1, COUNT2 = 1, COUNT3 = 1, COUNT4 = 1,
    parameter int STEP1 = 0, STEP2 = 0, STEP3 = 0, STEP4 = 0, STEP_BLOCK = 0, ROM = 0,
    parameter int R = 1, C = 1  // a matrix of rows and columns, transposed
) (
    input logic clk, rst, in_valid, out_ready, input logic [LANES*BITS-1:0] in_data,
    output logic in_ready, out_valid, output logic [LANES*BITS-1:0] out_data
);
    lutra_reorder #(
        .BITS(BITS), .LANES(LANES), .BLOCK(BLOCK), .RAM(RAM), .FIRST(FIRST), .COUNT1(COUNT1), .COUNT2(COUNT2),
        .COUNT3(COUNT3), .COUNT4(COUNT4), .STEP1(STEP1), .STEP2(STEP2), .STEP3(STEP3), .STEP4(STEP4),
        .STEP_BLOCK(STEP_BLOCK), .ROM(ROM)
    ) unit (.*);

    (* anyconst *) logic [5:0] block, r, c;
    wire [5:0] wanted = block * (R * C) + c * R + r;
    wire [5:0] source = block * (R * C) + r * C + c;
    reference_same #(.WIDTH(LANES * BITS)) same (.*);
    always_ff @(posedge clk) assume (block < 3 && r < R && c < C);
endmodule
