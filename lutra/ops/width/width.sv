// From words of IN_LANES elements to words of OUT_LANES, BITS each, in order. Latency 1. The frame is a whole number of
// words at both ends, so nothing has to be counted but the place within the least common multiple.
module lutra_width #(
    parameter int BITS = 1,
    parameter int IN_LANES = 1,
    parameter int OUT_LANES = 1
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic [ IN_LANES*BITS-1:0] in_data,
    input  logic                      in_valid,
    output logic                      in_ready,
    output logic [OUT_LANES*BITS-1:0] out_data,
    output logic                      out_valid,
    input  logic                      out_ready
);
    generate
        if (IN_LANES == OUT_LANES) begin : g_same
            lutra_skid #(.WIDTH(IN_LANES * BITS)) slice (.*);
        end else if (OUT_LANES % IN_LANES == 0) begin : g_up
            lutra_width_up #(.WIDTH(IN_LANES * BITS), .RATIO(OUT_LANES / IN_LANES)) up (.*);
        end else if (IN_LANES % OUT_LANES == 0) begin : g_down
            lutra_width_down #(.WIDTH(OUT_LANES * BITS), .RATIO(IN_LANES / OUT_LANES)) down (.*);
        end else begin : g_gear
            lutra_width_gear #(.BITS(BITS), .IN_LANES(IN_LANES), .OUT_LANES(OUT_LANES)) gear (.*);
        end
    endgenerate
endmodule

// RATIO words of WIDTH bits become one. The output register is free again before the next last part comes, if the
// taker is quick; so one register is enough.
module lutra_width_up #(
    parameter int WIDTH = 1,
    parameter int RATIO = 2
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic [      WIDTH-1:0] in_data,
    input  logic                   in_valid,
    output logic                   in_ready,
    output logic [RATIO*WIDTH-1:0] out_data,
    output logic                   out_valid,
    input  logic                   out_ready
);
    logic [(RATIO-1)*WIDTH-1:0] parts;  // the newest on top
    logic last;
    logic step;

    lutra_count #(.N(RATIO)) part (.*);

    assign in_ready = !(last && out_valid);
    assign step = in_valid && in_ready;

    always_ff @(posedge clk) begin
        if (step && !last) parts <= ((RATIO - 1) * WIDTH)'({in_data, parts} >> WIDTH);
        if (step && last) out_data <= {in_data, parts};
        out_valid <= !rst && ((step && last) || (out_valid && !out_ready));
    end

`ifdef FORMAL
    logic [15:0] count, ahead;
    logic tracked;
    logic [WIDTH-1:0] value;
    formal_order #(.BITS(WIDTH), .IN_LANES(1), .OUT_LANES(RATIO)) order (.*);

    (* hierconn *) logic [15:0] \part.place ;
    wire [15:0] held = \part.place ;
    wire [15:0] newer = ahead - (out_valid ? RATIO : 0);  // among the parts
    always_ff @(posedge clk) begin
        if (!rst) begin
            assert (count == held + (out_valid ? RATIO : 0));
            if (tracked && out_valid && ahead < RATIO) assert (WIDTH'(out_data >> (ahead * WIDTH)) == value);
            else if (tracked) assert (WIDTH'(parts >> ((RATIO - 1 - held + newer) * WIDTH)) == value);
        end
    end
`endif
endmodule

// One word becomes RATIO words of WIDTH bits.
module lutra_width_down #(
    parameter int WIDTH = 1,
    parameter int RATIO = 2
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic [RATIO*WIDTH-1:0] in_data,
    input  logic                   in_valid,
    output logic                   in_ready,
    output logic [      WIDTH-1:0] out_data,
    output logic                   out_valid,
    input  logic                   out_ready
);
    logic [(RATIO-1)*WIDTH-1:0] parts;  // the next at the bottom
    logic fresh;  // the step to come takes a word
    logic last;
    logic room;
    logic step;

    lutra_count #(.N(RATIO)) part (.*);

    assign in_ready = fresh && room;
    assign step = room && (!fresh || in_valid);

    lutra_skid #(.WIDTH(WIDTH)) slice (
        .in_data (fresh ? in_data[WIDTH-1:0] : parts[WIDTH-1:0]),
        .in_valid(!fresh || in_valid),
        .in_ready(room),
        .*
    );

    always_ff @(posedge clk) begin
        if (step) parts <= fresh ? in_data[RATIO*WIDTH-1:WIDTH] : parts >> WIDTH;
        if (rst) fresh <= 1'b1;
        else if (step) fresh <= last;
    end

`ifdef FORMAL
    logic [15:0] count, ahead;
    logic tracked;
    logic [WIDTH-1:0] value;
    formal_order #(.BITS(WIDTH), .IN_LANES(RATIO), .OUT_LANES(1)) order (.*);

    (* hierconn *) logic [15:0] \part.place ;
    (* hierconn *) logic [WIDTH-1:0] \slice.spare ;
    wire [15:0] past = out_valid + !room;
    always_ff @(posedge clk) begin
        if (!rst) begin
            assert (fresh == (\part.place == 0));
            assert (out_valid || room);
            assert (count == past + (fresh ? 0 : RATIO - \part.place ));
            if (tracked && ahead == 0 && out_valid) assert (out_data == value);
            else if (tracked && ahead < past) assert (\slice.spare == value);
            else if (tracked) assert (WIDTH'(parts >> ((ahead - past) * WIDTH)) == value);
        end
    end
`endif
endmodule

// Any ratio: what is left over waits at the bottom of `rest`, and a new word goes on top of it. A step takes a word
// and gives one where the words grow narrower or the leftover suffices; either end moves in every step.
module lutra_width_gear #(
    parameter int BITS = 1,
    parameter int IN_LANES = 3,
    parameter int OUT_LANES = 2
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic [ IN_LANES*BITS-1:0] in_data,
    input  logic                      in_valid,
    output logic                      in_ready,
    output logic [OUT_LANES*BITS-1:0] out_data,
    output logic                      out_valid,
    input  logic                      out_ready
);
    localparam int DOWN = IN_LANES > OUT_LANES ? 1 : 0;
    localparam int KEEP = DOWN != 0 ? IN_LANES - 1 : OUT_LANES - 1;  // most lanes that are ever left over
    localparam int WIDE = IN_LANES + KEEP;
    localparam int LW = $clog2(WIDE + 1);

    logic [WIDE*BITS-1:0] all;  // leftover and, where the step takes one, the new word
    logic [KEEP*BITS-1:0] rest;  // zero above `left` lanes
    logic [LW-1:0] left;
    logic take, give, room, step;

    assign take = DOWN == 0 || left < LW'(OUT_LANES);
    assign give = DOWN != 0 || left >= LW'(OUT_LANES - IN_LANES);
    assign in_ready = take && room;
    assign step = room && (!take || in_valid);
    assign all = (WIDE*BITS)'(rest) | (take ? (WIDE*BITS)'(in_data) << (left * BITS) : '0);

    lutra_skid #(.WIDTH(OUT_LANES * BITS)) slice (
        .in_data (all[OUT_LANES*BITS-1:0]),
        .in_valid(give && (!take || in_valid)),
        .in_ready(room),
        .*
    );

    always_ff @(posedge clk) begin
        if (rst) begin
            left <= '0;
            rest <= '0;
        end else if (step) begin
            left <= left + (take ? LW'(IN_LANES) : '0) - (give ? LW'(OUT_LANES) : '0);
            rest <= (KEEP*BITS)'(give ? all >> (OUT_LANES * BITS) : all);
        end
    end

`ifdef FORMAL
    logic [15:0] count, ahead;
    logic tracked;
    logic [BITS-1:0] value;
    formal_order #(.BITS(BITS), .IN_LANES(IN_LANES), .OUT_LANES(OUT_LANES)) order (.*);

    (* hierconn *) logic [OUT_LANES*BITS-1:0] \slice.spare ;
    wire [15:0] past = (out_valid + !room) * OUT_LANES;
    always_ff @(posedge clk) begin
        if (!rst) begin
            assert (left <= KEEP);
            assert (out_valid || room);
            assert (count == past + left);
            assert ((rest >> (left * BITS)) == 0);
            if (tracked && ahead < OUT_LANES && out_valid) assert (BITS'(out_data >> (ahead * BITS)) == value);
            else if (tracked && ahead < past) assert (BITS'(\slice.spare >> ((ahead - OUT_LANES) * BITS)) == value);
            else if (tracked) assert (BITS'(rest >> ((ahead - past) * BITS)) == value);
        end
    end
`endif
endmodule
