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

    logic waits;  // the block memory's register holds a word
    logic [WIDTH-1:0] waiting, seen;
    wire [15:0] past = out_valid + waits;  // words beyond the memory
    wire [15:0] place = head + ahead - past;
    wire [AW-1:0] look = AW'(place >= PLACES ? place - PLACES : place);
    always_ff @(posedge clk) begin
        if (!rst && tracked) assert ((ahead >= past ? seen : ahead < out_valid ? out_data : waiting) == value);
        if (!rst) begin
            assert (stored == count && stored <= DEPTH && stored == queued + past);
            assert (some == (queued != 0) && full == (stored == DEPTH));
            assert (head < PLACES && tail < PLACES && queued <= PLACES);
            assert (tail == (head + queued >= PLACES ? head + queued - PLACES : head + queued));
        end
    end
`endif

    logic move;
    assign fetch = some && move;
    lutra_ram_stream #(.WIDTH(WIDTH), .DEPTH(PLACES), .BLOCK(BLOCK)) ram (
        .write(push), .waddr(tail), .read(some), .raddr(head), .*
    );
endmodule
