// What a host says to a packaged design over AXI4-Lite (12 bits of address, words of 32 bits; all else answers SLVERR):
//   0       1 lets the design run, 0 holds it in reset; after reset 1, or 0 where it has REGIONS to be told of first: then
//           1 stays, since reads of memory that are under way cannot be called back
//   4       frames in a packet of the output streams: `tlast` marks the last word of as many; after reset 1
//   8       ID, read only: which design this is
//   16+8*k  address of the k-th region in memory, the low 32 bits; the high bits 4 bytes further on
module lutra_host #(
    parameter int REGIONS = 0,
    parameter int ADDRESS = 40,  // bits of an address in memory
    parameter logic [31:0] ID = 32'd0,
    parameter int BITS = REGIONS > 0 ? REGIONS * ADDRESS : ADDRESS
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [    11:0] s_axi_awaddr,
    input  logic            s_axi_awvalid,
    output logic            s_axi_awready,
    input  logic [    31:0] s_axi_wdata,
    input  logic [     3:0] s_axi_wstrb,
    input  logic            s_axi_wvalid,
    output logic            s_axi_wready,
    output logic [     1:0] s_axi_bresp,
    output logic            s_axi_bvalid,
    input  logic            s_axi_bready,
    input  logic [    11:0] s_axi_araddr,
    input  logic            s_axi_arvalid,
    output logic            s_axi_arready,
    output logic [    31:0] s_axi_rdata,
    output logic [     1:0] s_axi_rresp,
    output logic            s_axi_rvalid,
    input  logic            s_axi_rready,
    output logic            go,
    output logic [    31:0] frames,
    output logic [BITS-1:0] bases
);
    localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10;
    localparam int WORDS = 4 + 2 * REGIONS;
    logic address_there, value_there, whole, turn, takes;
    logic [9:0] at;  // number of the word that is written
    logic [31:0] value;
    assign s_axi_awready = !address_there;
    assign s_axi_wready  = !value_there;
    assign s_axi_arready = !s_axi_rvalid;
    assign turn  = address_there && value_there && !s_axi_bvalid;
    assign takes = whole && 32'(at) < WORDS && at != 10'd2 && at != 10'd3;

    logic [31:0] words[WORDS];  // as they are read
    always_comb begin
        words[0] = 32'(go);
        words[1] = frames;
        words[2] = ID;
        words[3] = 32'd0;
        for (int k = 0; k < REGIONS; k++) begin
            words[4+2*k] = bases[ADDRESS*k+:32];
            words[5+2*k] = 32'(bases[ADDRESS*k+32+:ADDRESS-32]);
        end
    end

    always_ff @(posedge clk) begin
        if (s_axi_awready) at <= s_axi_awaddr[11:2];
        if (s_axi_wready) begin
            value <= s_axi_wdata;
            whole <= &s_axi_wstrb;
        end
        if (turn) s_axi_bresp <= takes ? OKAY : SLVERR;
        if (s_axi_arready) begin
            s_axi_rdata <= 32'd0;
            for (int k = 0; k < WORDS; k++) if (s_axi_araddr[11:2] == 10'(k)) s_axi_rdata <= words[k];
            s_axi_rresp <= 32'(s_axi_araddr[11:2]) < WORDS ? OKAY : SLVERR;
        end
        if (rst) begin
            address_there <= 1'b0;
            value_there   <= 1'b0;
            s_axi_bvalid  <= 1'b0;
            s_axi_rvalid  <= 1'b0;
            go            <= REGIONS == 0;
            frames        <= 32'd1;
            bases         <= '0;
        end else begin
            address_there <= address_there ? !turn : s_axi_awvalid;
            value_there   <= value_there ? !turn : s_axi_wvalid;
            s_axi_bvalid  <= s_axi_bvalid ? !s_axi_bready : turn;
            s_axi_rvalid  <= s_axi_rvalid ? !s_axi_rready : s_axi_arvalid;
            if (turn && takes) begin
                if (at == 10'd0) go <= value[0] || (go && REGIONS > 0);
                if (at == 10'd1) frames <= value;
                for (int k = 0; k < REGIONS; k++) begin
                    if (at == 10'(4 + 2 * k)) bases[ADDRESS*k+:32] <= value;
                    if (at == 10'(5 + 2 * k)) bases[ADDRESS*k+32+:ADDRESS-32] <= value[ADDRESS-33:0];
                end
            end
        end
    end
    wire unused = &{1'b0, s_axi_awaddr[1:0], s_axi_araddr[1:0]};
endmodule

// Of a stream whose `tlast` marks frames, which word is the last of a packet of so many. `frames` is at least 1 and changes
// between packets. `last` belongs to the word to come.
module lutra_packet (
    input  logic        clk,
    input  logic        rst,
    input  logic [31:0] frames,
    input  logic        tlast,
    input  logic        step,  // a word leaves
    output logic        last
);
    logic [31:0] sent;  // frames of this packet that have left
    assign last = tlast && sent == frames - 32'd1;
    always_ff @(posedge clk)
        if (rst) sent <= 32'd0;
        else if (step && tlast) sent <= last ? 32'd0 : sent + 32'd1;
endmodule
