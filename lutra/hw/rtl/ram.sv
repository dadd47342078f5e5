// A memory with a port to write and one to read, which has a register: `fetched` is what lay at `raddr` in the cycle
// before, where `fetch` was high. A word that is read and written in the same cycle reads as anything.
module lutra_ram #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 2,
    parameter int BLOCK = 0,  // block RAM, not LUT RAM
    parameter int AW = $clog2(DEPTH)
) (
    input  logic             clk,
    input  logic             write,
    input  logic [   AW-1:0] waddr,
    input  logic [WIDTH-1:0] in_data,
    input  logic             fetch,
    input  logic [   AW-1:0] raddr,
`ifdef FORMAL
    input  logic [   AW-1:0] look,  // an address, and what lies there
    output logic [WIDTH-1:0] seen,
`endif
    output logic [WIDTH-1:0] fetched
);
    generate
        if (BLOCK != 0) begin : g_block
            // As wide as one block of this depth is: none is put behind another, with a multiplexer after a slow memory.
            localparam int SLICE = DEPTH > 8192 ? 1 : DEPTH > 4096 ? 2 : DEPTH > 2048 ? 4 : DEPTH > 1024 ? 9
                                 : DEPTH > 512 ? 18 : 36;
            for (genvar low = 0; low < WIDTH; low += SLICE) begin : g_slice
                localparam int BITS = WIDTH - low < SLICE ? WIDTH - low : SLICE;
                (* ram_style = "block", no_rw_check *) logic [BITS-1:0] mem[DEPTH];
                always_ff @(posedge clk) begin
                    if (write) mem[waddr] <= in_data[low+:BITS];
                    if (fetch) fetched[low+:BITS] <= mem[raddr];
                end
`ifdef FORMAL
                assign seen[low+:BITS] = mem[look];
`endif
            end
        end else begin : g_lut
            (* ram_style = "distributed", no_rw_check *) logic [WIDTH-1:0] mem[DEPTH];
            always_ff @(posedge clk) begin
                if (write) mem[waddr] <= in_data;
                if (fetch) fetched <= mem[raddr];
            end
`ifdef FORMAL
            assign seen = mem[look];
`endif
        end
    endgenerate
endmodule

// The same, read as a stream: where `read` is high, what lies at `raddr` is due, and goes on where `move` is high too.
// Latency 1 with LUT RAM, 2 with block RAM, which is slow to answer and has a register of its own. `move` depends on
// out_ready.
module lutra_ram_stream #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 2,
    parameter int BLOCK = 0,
    parameter int AW = $clog2(DEPTH)
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             write,
    input  logic [   AW-1:0] waddr,
    input  logic [WIDTH-1:0] in_data,
    input  logic             read,
    input  logic [   AW-1:0] raddr,
    output logic             move,
`ifdef FORMAL
    input  logic [   AW-1:0] look,
    output logic [WIDTH-1:0] seen,
    output logic             waits,  // a word in the block memory's register, and which
    output logic [WIDTH-1:0] waiting,
`endif
    output logic [WIDTH-1:0] out_data,
    output logic             out_valid,
    input  logic             out_ready
);
    wire move_out = !out_valid || out_ready;
    logic [WIDTH-1:0] fetched;
    logic fetched_valid;

    lutra_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .BLOCK(BLOCK)) ram (.fetch(move), .*);

    always_ff @(posedge clk) begin
        if (rst) fetched_valid <= 1'b0;
        else if (move) fetched_valid <= read;
    end

    generate
        if (BLOCK != 0) begin : g_block
            assign move = !fetched_valid || move_out;
            always_ff @(posedge clk) begin
                if (move_out) out_data <= fetched;
                if (rst) out_valid <= 1'b0;
                else if (move_out) out_valid <= fetched_valid;
            end
        end else begin : g_lut
            assign move = move_out;
            assign out_data = fetched;
            assign out_valid = fetched_valid;
        end
    endgenerate

`ifdef FORMAL
    assign waits = BLOCK != 0 && fetched_valid;
    assign waiting = fetched;
`endif
endmodule
