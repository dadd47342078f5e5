// What reads off-chip memory, beside a memory that gives the beats that were asked for whenever it likes.
module proof_fetch #(
    parameter int WIDTH = 4,
    parameter int WORDS = 3,
    parameter int BUS = 8,
    parameter int BURST = 2,
    parameter int DEPTH = 5
) (
    input logic           clk,
    input logic           rst,
    input logic           m_axi_arready,
    input logic [BUS-1:0] m_axi_rdata,
    input logic           m_axi_rvalid,
    input logic           out_ready
);
    (* anyconst *) logic [39:0] m_axi_base;
    logic [39:0] m_axi_araddr;
    logic [7:0] m_axi_arlen;
    logic m_axi_arvalid, m_axi_rready;
    logic [WIDTH-1:0] out_data;
    logic out_valid;
    lutra_fetch #(.WIDTH(WIDTH), .WORDS(WORDS), .BUS(BUS), .BURST(BURST), .DEPTH(DEPTH)) dut (.*);
    formal_rules #(.OUT_WIDTH(WIDTH)) rules (.in_valid(m_axi_rvalid), .in_ready(m_axi_rready), .*);

    (* hierconn *) logic [$clog2(DEPTH+1):0] \dut.ask.spare ;
    (* hierconn *) logic [$clog2(DEPTH+1)-1:0] \dut.fifo.genblk1.g_many.ram.stored ;
    (* hierconn *) logic [39:0] \dut.ask.offset ;
    (* hierconn *) logic [15:0] \dut.ask.round.place ;
    localparam int BEATS = BUS >= WIDTH ? (WORDS + BUS / WIDTH - 1) / (BUS / WIDTH) : WORDS * ((WIDTH + BUS - 1) / BUS);

    logic [15:0] due;  // beats that the memory owes
    logic stood;
    logic [39:0] address;
    logic [7:0] length;
    wire [15:0] beats = m_axi_arlen + 1;
    wire [15:0] asked = m_axi_arvalid ? beats : 0;
    wire [15:0] room = $signed(\dut.ask.spare ) + BURST;
    always_ff @(posedge clk) begin
        assume (m_axi_base % 4096 == 0);
        assume (!m_axi_rvalid || (!rst && due != 0));
        stood <= m_axi_arvalid && !m_axi_arready && !rst;
        address <= m_axi_araddr;
        length <= m_axi_arlen;
        if (rst) due <= 0;
        else begin
            due <= due + (m_axi_arvalid && m_axi_arready ? beats : 0) - m_axi_rvalid;
            if (m_axi_rvalid) assert (m_axi_rready);  // there is always room
            assert (room + due + asked + \dut.fifo.genblk1.g_many.ram.stored == DEPTH && room <= DEPTH);
            if (stood) assert (m_axi_arvalid && m_axi_araddr == address && m_axi_arlen == length);
            assert (\dut.ask.offset == \dut.ask.round.place * (BURST * BUS / 8) && \dut.ask.offset < BEATS * BUS / 8);
            if (m_axi_arvalid) begin
                assert (m_axi_araddr % (BURST * BUS / 8) == 0);  // a power of two: no burst crosses 4096
                assert (beats <= BURST && m_axi_araddr - m_axi_base + beats * BUS / 8 <= BEATS * BUS / 8);
            end
        end
    end
endmodule

// Words are numbered as they go in, the last beat of each WORDS holding what is left: so they come out.
module proof_cut #(
    parameter int PER = 2,
    parameter int WORDS = 3
) (
    input logic             clk,
    input logic             rst,
    input logic [PER*4-1:0] in_data,
    input logic             in_valid,
    input logic             out_ready
);
    logic in_ready, out_valid;
    logic [3:0] out_data;
    lutra_cut #(.WIDTH(4), .PER(PER), .WORDS(WORDS)) dut (.*);
    formal_rules #(.OUT_WIDTH(4)) rules (.*);

    logic [15:0] given, place, taken;  // words that went in, of this round, that came out
    wire [15:0] some = WORDS - place < PER ? WORDS - place : PER;
    for (genvar k = 0; k < PER; k++) begin : g_lane
        always_ff @(posedge clk) assume (k >= some || in_data[k*4+:4] == 4'(given + k));
    end
    always_ff @(posedge clk) begin
        if (rst) begin
            given <= 0;
            place <= 0;
            taken <= 0;
        end else begin
            if (in_valid && in_ready) begin
                given <= given + some;
                place <= place + some == WORDS ? 0 : place + some;
            end
            if (out_valid && out_ready) taken <= taken + 1;
            if (out_valid) assert (out_data == taken[3:0] && taken < given);
        end
    end
endmodule
