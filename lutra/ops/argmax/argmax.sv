// Index of the largest of WORDS * LANES codes, the lowest among equals. A tree with a register at each level finds the
// best lane of a word, then words are compared in turn. Latency $clog2(LANES) + 1.
module lutra_argmax #(
    parameter int BITS = 1,
    parameter int SIGNED = 0,
    parameter int LANES = 1,
    parameter int WORDS = 2,
    parameter int INDEX_BITS = 1
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [LANES*BITS-1:0] in_data,
    input  logic                  in_valid,
    output logic                  in_ready,
    output logic [INDEX_BITS-1:0] out_data,
    output logic                  out_valid,
    input  logic                  out_ready
);
    localparam int LEVELS = $clog2(LANES);
    localparam logic [BITS-1:0] FLIP = SIGNED != 0 ? BITS'(1) << (BITS - 1) : '0;  // the same order, unsigned

    logic [LEVELS:0] valid;  // level 0 is the input
    logic [(LEVELS+1)*LANES*BITS-1:0] value;
    logic [(LEVELS+1)*LANES*INDEX_BITS-1:0] index;
    logic room;

    assign in_ready = room;
    assign valid[0] = in_valid;

    generate
        for (genvar i = 0; i < LANES; i++) begin : g_leaf
            assign value[i*BITS+:BITS] = in_data[i*BITS+:BITS] ^ FLIP;
            assign index[i*INDEX_BITS+:INDEX_BITS] = INDEX_BITS'(i);
        end
        for (genvar l = 1; l <= LEVELS; l++) begin : g_level
            localparam int BELOW = (LANES + (1 << (l - 1)) - 1) >> (l - 1);
            always_ff @(posedge clk) begin
                if (rst) valid[l] <= 1'b0;
                else if (room) valid[l] <= valid[l-1];
            end
            for (genvar i = 0; i < LANES; i++) begin : g_node
                localparam int A = (l - 1) * LANES + 2 * i;  // the pair below
                localparam int Y = l * LANES + i;
                if (2 * i + 1 < BELOW) begin : g_pair
                    wire second = value[(A+1)*BITS+:BITS] > value[A*BITS+:BITS];
                    always_ff @(posedge clk) begin
                        if (room) begin
                            value[Y*BITS+:BITS] <= second ? value[(A+1)*BITS+:BITS] : value[A*BITS+:BITS];
                            index[Y*INDEX_BITS+:INDEX_BITS] <= second ? index[(A+1)*INDEX_BITS+:INDEX_BITS]
                                                                      : index[A*INDEX_BITS+:INDEX_BITS];
                        end
                    end
                end else if (2 * i < BELOW) begin : g_single
                    always_ff @(posedge clk) begin
                        if (room) begin
                            value[Y*BITS+:BITS] <= value[A*BITS+:BITS];
                            index[Y*INDEX_BITS+:INDEX_BITS] <= index[A*INDEX_BITS+:INDEX_BITS];
                        end
                    end
                end else begin : g_none
                    assign value[Y*BITS+:BITS] = '0;
                    assign index[Y*INDEX_BITS+:INDEX_BITS] = '0;
                end
            end
        end
    endgenerate

    wire [BITS-1:0] top = value[LEVELS*LANES*BITS+:BITS];
    wire [INDEX_BITS-1:0] lane = index[LEVELS*LANES*INDEX_BITS+:INDEX_BITS];
    logic [BITS-1:0] best;
    logic [INDEX_BITS-1:0] best_index, base;
    logic first, last;
    wire better = first || top > best;
    wire step = room && valid[LEVELS];
    wire [INDEX_BITS-1:0] winner = better ? base + lane : best_index;

    lutra_count #(.N(WORDS)) word (.*);

    always_ff @(posedge clk) begin
        if (rst) begin
            first <= 1'b1;
            base  <= '0;
        end else if (step) begin
            first <= last;
            base  <= last ? '0 : base + INDEX_BITS'(LANES);
        end
        if (step) begin
            best_index <= winner;
            if (better) best <= top;
        end
    end

    lutra_skid #(.WIDTH(INDEX_BITS)) slice (
        .in_data(winner), .in_valid(valid[LEVELS] && last), .in_ready(room), .*
    );

`ifdef FORMAL
    formal_rules #(.OUT_WIDTH(INDEX_BITS)) rules (.*);
`endif
endmodule
