// Reads BEATS beats from memory over AXI4, at `base` and on, again and again for ever, and gives the words in them:
// PER words side by side in each beat (the last of a round holds what is left of WORDS), or one word in JOIN beats,
// the low bits first. Starts after reset; `base` is a multiple of 4096 and does not change.
//
// It asks for a burst only when the FIFO has room for all of it, so beats are always taken: `m_axi_rready` never
// holds the memory up. Bursts begin at multiples of their size, which divides 4096, so none crosses 4 KiB.
module lutra_fetch #(
    parameter int WIDTH = 8,   // bits of a word
    parameter int WORDS = 1,
    parameter int BUS = 32,    // bits of a beat
    parameter int BURST = 16,  // beats, a power of two
    parameter int DEPTH = 64,  // beats that the FIFO holds, at least BURST
    parameter int BLOCK = 0,   // the FIFO in block RAM
    parameter int ADDRESS = 40,
    parameter int PER = BUS >= WIDTH ? BUS / WIDTH : 1,
    parameter int JOIN = BUS >= WIDTH ? 1 : (WIDTH + BUS - 1) / BUS
) (
    input  logic               clk,
    input  logic               rst,
    input  logic [ADDRESS-1:0] m_axi_base,
    output logic [ADDRESS-1:0] m_axi_araddr,
    output logic [        7:0] m_axi_arlen,
    output logic               m_axi_arvalid,
    input  logic               m_axi_arready,
    input  logic [    BUS-1:0] m_axi_rdata,
    input  logic               m_axi_rvalid,
    output logic               m_axi_rready,
    output logic [  WIDTH-1:0] out_data,
    output logic               out_valid,
    input  logic               out_ready
);
    localparam int BEATS = JOIN > 1 ? WORDS * JOIN : (WORDS + PER - 1) / PER;

    logic [BUS-1:0] beat;
    logic beat_valid, beat_ready;
    lutra_ask #(.BEATS(BEATS), .BYTES(BUS / 8), .BURST(BURST), .DEPTH(DEPTH), .ADDRESS(ADDRESS)) ask (
        .freed(beat_valid && beat_ready), .*);
    lutra_fifo #(.WIDTH(BUS), .DEPTH(DEPTH), .BLOCK(BLOCK)) fifo (
        .in_data(m_axi_rdata), .in_valid(m_axi_rvalid), .in_ready(m_axi_rready),
        .out_data(beat), .out_valid(beat_valid), .out_ready(beat_ready), .*);

    generate
        if (JOIN > 1) begin : g_join
            logic [JOIN*BUS-1:0] whole;
            lutra_width #(.BITS(BUS), .IN_LANES(1), .OUT_LANES(JOIN)) join_beats (
                .in_data(beat), .in_valid(beat_valid), .in_ready(beat_ready), .out_data(whole), .*);
            assign out_data = whole[WIDTH-1:0];
            if (JOIN * BUS > WIDTH) begin : g_padded
                wire unused = &{1'b0, whole[JOIN*BUS-1:WIDTH]};
            end
        end else begin : g_cut
            if (PER * WIDTH < BUS) begin : g_padded
                wire unused = &{1'b0, beat[BUS-1:PER*WIDTH]};
            end
            lutra_cut #(.WIDTH(WIDTH), .PER(PER), .WORDS(WORDS)) cut (
                .in_data(beat[PER*WIDTH-1:0]), .in_valid(beat_valid), .in_ready(beat_ready), .*);
        end
    endgenerate
endmodule

// The bursts of one round after another: BEATS beats of BYTES bytes, BURST in a burst but for the round's last. Never
// more are due than have room: DEPTH beats at first, and one more with each `freed`.
module lutra_ask #(
    parameter int BEATS = 1,
    parameter int BYTES = 4,
    parameter int BURST = 16,
    parameter int DEPTH = 64,
    parameter int ADDRESS = 40
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               freed,
    input  logic [ADDRESS-1:0] m_axi_base,
    output logic [ADDRESS-1:0] m_axi_araddr,
    output logic [        7:0] m_axi_arlen,
    output logic               m_axi_arvalid,
    input  logic               m_axi_arready
);
    localparam int BURSTS = (BEATS + BURST - 1) / BURST;
    localparam int LEFT = BEATS - (BURSTS - 1) * BURST;  // beats of the last
    localparam int RW = $clog2(DEPTH + 1) + 1;

    logic [ADDRESS-1:0] offset;  // of the burst to ask for
    logic [RW-1:0] spare;  // room for so many beats more than a burst has, two's complement
    logic last, step;
    wire [RW-1:0] beats = last ? RW'(LEFT) : RW'(BURST);
    assign step = !spare[RW-1] && (!m_axi_arvalid || m_axi_arready);

    lutra_count #(.N(BURSTS)) round (.*);

    always_ff @(posedge clk) begin
        if (step) begin
            m_axi_araddr <= m_axi_base + offset;
            m_axi_arlen  <= last ? 8'(LEFT - 1) : 8'(BURST - 1);
        end
        if (rst) begin
            m_axi_arvalid <= 1'b0;
            offset        <= '0;
            spare         <= RW'(DEPTH - BURST);
        end else begin
            m_axi_arvalid <= step || (m_axi_arvalid && !m_axi_arready);
            if (step) offset <= last ? '0 : offset + ADDRESS'(BURST * BYTES);
            spare <= spare + RW'(freed) - (step ? beats : '0);
        end
    end
endmodule

// The PER words of a beat one by one, of each WORDS the last beat holding those that are left. Latency 1.
module lutra_cut #(
    parameter int WIDTH = 1,
    parameter int PER = 2,
    parameter int WORDS = 2
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [PER*WIDTH-1:0] in_data,
    input  logic                 in_valid,
    output logic                 in_ready,
    output logic [    WIDTH-1:0] out_data,
    output logic                 out_valid,
    input  logic                 out_ready
);
    generate
        if (WORDS % PER == 0) begin : g_even
            lutra_width #(.BITS(WIDTH), .IN_LANES(PER), .OUT_LANES(1)) down (.*);
        end else if (WORDS == 1) begin : g_one
            wire unused = &{1'b0, in_data[PER*WIDTH-1:WIDTH]};
            lutra_skid #(.WIDTH(WIDTH)) slice (.in_data(in_data[WIDTH-1:0]), .*);
        end else begin : g_uneven
            logic [(PER-1)*WIDTH-1:0] parts;  // the next at the bottom
            logic fresh, full, ended, room, step;  // `fresh`: the step to come takes a beat
            wire last = full || ended;
            assign in_ready = fresh && room;
            assign step     = room && (!fresh || in_valid);

            lutra_count #(.N(PER)) place (.rst(rst || (step && ended)), .last(full), .*);
            lutra_count #(.N(WORDS)) round (.last(ended), .*);
            lutra_skid #(.WIDTH(WIDTH)) slice (
                .in_data(fresh ? in_data[WIDTH-1:0] : parts[WIDTH-1:0]), .in_valid(!fresh || in_valid),
                .in_ready(room), .*);

            always_ff @(posedge clk) begin
                if (step) parts <= fresh ? in_data[PER*WIDTH-1:WIDTH] : parts >> WIDTH;
                if (rst) fresh <= 1'b1;
                else if (step) fresh <= last;
            end
        end
    endgenerate
endmodule
