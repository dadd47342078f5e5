// First in, first out: holds DEPTH words, the one at the output among them. Full throughput for DEPTH >= 2.
// Latency from a word's taking to its standing at an idle output: 1 for DEPTH <= 2, 2 with LUT RAM, 3 with block RAM.
module lutra_fifo #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 2,
    parameter int BLOCK = 0  // block RAM, not LUT RAM; needs DEPTH > 3
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
    generate
        if (DEPTH == 1) begin : g_one
            assign in_ready = !out_valid;
            always_ff @(posedge clk) begin
                if (!out_valid) out_data <= in_data;
                out_valid <= !rst && (out_valid ? !out_ready : in_valid);
            end
`ifdef FORMAL
            logic [15:0] count, ahead;
            logic tracked;
            logic [WIDTH-1:0] value;
            formal_order #(.BITS(WIDTH)) order (.*);
            always_ff @(posedge clk) begin
                if (!rst) assert (count == out_valid);
                if (!rst && tracked) assert (out_data == value);
            end
`endif
        end else if (DEPTH == 2) begin : g_two
            lutra_skid #(.WIDTH(WIDTH)) slice (.*);
        end else begin : g_many
            lutra_fifo_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(BLOCK)) ram (.*);
        end
    endgenerate
endmodule

// The same for DEPTH >= 3, with the words in a memory and the oldest in the output register.
module lutra_fifo_ram #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 3,
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
    // With LUT RAM the output register is one of the DEPTH places. With block RAM the words on their way out (memory's
    // own register, output register) are counted too, but the memory is the full depth: its size is in steps anyway.
    localparam int PLACES = BLOCK != 0 ? DEPTH : DEPTH - 1;
    localparam int AW = $clog2(PLACES);
    localparam int CW = $clog2(DEPTH + 1);
    localparam logic [AW-1:0] LAST = AW'(PLACES - 1);

    logic [AW-1:0] head, tail;
    logic [CW-1:0] stored;  // words anywhere in here
    logic [CW-1:0] queued;  // words in the memory that are not on their way out
    logic some;  // queued != 0
    logic full;  // stored == DEPTH
    logic push, fetch, take;

    assign in_ready = !full;
    assign push     = in_valid && in_ready;
    assign take     = out_valid && out_ready;

    always_ff @(posedge clk) begin
        if (rst) begin
            head   <= '0;
            tail   <= '0;
            stored <= '0;
            queued <= '0;
            some   <= 1'b0;
            full   <= 1'b0;
        end else begin
            if (push) tail <= (tail == LAST) ? '0 : tail + 1'b1;
            if (fetch) head <= (head == LAST) ? '0 : head + 1'b1;
            if (push && !fetch) begin
                queued <= queued + 1'b1;
                some   <= 1'b1;
            end else if (!push && fetch) begin
                queued <= queued - 1'b1;
                some   <= queued != CW'(1);
            end
            if (push && !take) begin
                stored <= stored + 1'b1;
                full   <= stored == CW'(DEPTH - 1);
            end else if (!push && take) begin
                stored <= stored - 1'b1;
                full   <= 1'b0;
            end
        end
    end

`ifdef FORMAL
    logic [15:0] count, ahead;
    logic tracked;
    logic [WIDTH-1:0] value;
    formal_order #(.BITS(WIDTH), .IN_LANES(1), .OUT_LANES(1)) order (.*);

    logic read_out;  // the block memory's register holds a word
    wire [15:0] past = out_valid + read_out;  // words beyond the memory
    wire [15:0] place = head + ahead - past;
    always_ff @(posedge clk) begin
        if (!rst) begin
            assert (stored == count && stored <= DEPTH && stored == queued + past);
            assert (some == (queued != 0) && full == (stored == DEPTH));
            assert (head < PLACES && tail < PLACES && queued <= PLACES);
            assert (tail == (head + queued >= PLACES ? head + queued - PLACES : head + queued));
        end
    end
`endif

    generate
        if (BLOCK != 0) begin : g_block
            logic read_valid, move;
            assign move  = !out_valid || out_ready;
            assign fetch = some && (!read_valid || move);
            always_ff @(posedge clk) begin
                read_valid <= !rst && (fetch || (read_valid && !move));
                out_valid  <= !rst && (move ? read_valid : 1'b1);
            end
            // As wide as one block of this depth is: none is put behind another, with a multiplexer after a slow memory.
            localparam int SLICE = PLACES > 8192 ? 1 : PLACES > 4096 ? 2 : PLACES > 2048 ? 4 : PLACES > 1024 ? 9
                                 : PLACES > 512 ? 18 : 36;
            for (genvar low = 0; low < WIDTH; low += SLICE) begin : g_slice
                localparam int BITS = WIDTH - low < SLICE ? WIDTH - low : SLICE;
                (* ram_style = "block", no_rw_check *) logic [BITS-1:0] mem[PLACES];
                logic [BITS-1:0] read;
                always_ff @(posedge clk) begin
                    if (push) mem[tail] <= in_data[low+:BITS];
                    if (fetch) read <= mem[head];
                    if (move) out_data[low+:BITS] <= read;
                end
`ifdef FORMAL
                always_ff @(posedge clk) begin
                    if (!rst && tracked) begin
                        if (ahead < out_valid) assert (out_data[low+:BITS] == value[low+:BITS]);
                        else if (ahead < past) assert (read == value[low+:BITS]);
                        else assert (mem[place >= PLACES ? place - PLACES : place] == value[low+:BITS]);
                    end
                end
`endif
            end
`ifdef FORMAL
            assign read_out = read_valid;
`endif
        end else begin : g_lut
            (* ram_style = "distributed", no_rw_check *) logic [WIDTH-1:0] mem[PLACES];
            assign fetch = some && (!out_valid || out_ready);
            always_ff @(posedge clk) begin
                if (push) mem[tail] <= in_data;
                if (!out_valid || out_ready) out_data <= mem[head];
                out_valid <= !rst && (fetch || (out_valid && !out_ready));
            end
`ifdef FORMAL
            assign read_out = 1'b0;
            always_ff @(posedge clk) begin
                if (!rst && tracked) begin
                    if (ahead < past) assert (out_data == value);
                    else assert (mem[place >= PLACES ? place - PLACES : place] == value);
                end
            end
`endif
        end
    endgenerate
endmodule
