// An AXI4-Lite slave through which a design is stopped, memories are written, and it is let go. Address 0: 1 stops, 0 lets
// go; it reads as written, after reset as WAITS. Addresses FROM to TO - 1 are the memories', which take writes of whole
// words of 32 bits while the design is stopped. All else answers SLVERR and changes nothing.
module lutra_control #(
    parameter int ADDRESS = 8,  // bits of an address
    parameter int FROM = 4,
    parameter int TO = 8,
    parameter int WAITS = 0  // stopped after reset: some memory wakes up with nothing
) (
    input  logic               clk,
    input  logic               rst,
    input  logic [ADDRESS-1:0] s_axi_awaddr,
    input  logic               s_axi_awvalid,
    output logic               s_axi_awready,
    input  logic [       31:0] s_axi_wdata,
    input  logic [        3:0] s_axi_wstrb,
    input  logic               s_axi_wvalid,
    output logic               s_axi_wready,
    output logic [        1:0] s_axi_bresp,
    output logic               s_axi_bvalid,
    input  logic               s_axi_bready,
    input  logic [ADDRESS-1:0] s_axi_araddr,
    input  logic               s_axi_arvalid,
    output logic               s_axi_arready,
    output logic [       31:0] s_axi_rdata,
    output logic [        1:0] s_axi_rresp,
    output logic               s_axi_rvalid,
    input  logic               s_axi_rready,
    output logic               stop,
    output logic               write,
    output logic [ADDRESS-1:0] address,
    output logic [       31:0] value
);
    localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10;
    logic address_there, value_there, whole, turn, steers, stores;
    assign s_axi_awready = !address_there;
    assign s_axi_wready  = !value_there;
    assign s_axi_arready = !s_axi_rvalid;
    assign turn   = address_there && value_there && !s_axi_bvalid;
    assign steers = whole && address < 4;
    assign stores = whole && stop && 32'(address) >= FROM && 32'(address) < TO;
    assign write  = turn && stores && !rst;

    always_ff @(posedge clk) begin
        if (s_axi_awready) address <= s_axi_awaddr;
        if (s_axi_wready) begin
            value <= s_axi_wdata;
            whole <= &s_axi_wstrb;
        end
        if (turn) s_axi_bresp <= steers || stores ? OKAY : SLVERR;
        if (s_axi_arready) begin
            s_axi_rdata <= 32'(stop);
            s_axi_rresp <= s_axi_araddr < 4 ? OKAY : SLVERR;
        end
        if (rst) begin
            address_there <= 1'b0;
            value_there   <= 1'b0;
            s_axi_bvalid  <= 1'b0;
            s_axi_rvalid  <= 1'b0;
            stop          <= WAITS != 0;
        end else begin
            address_there <= address_there ? !turn : s_axi_awvalid;
            value_there   <= value_there ? !turn : s_axi_wvalid;
            s_axi_bvalid  <= s_axi_bvalid ? !s_axi_bready : turn;
            s_axi_rvalid  <= s_axi_rvalid ? !s_axi_rready : s_axi_arvalid;
            if (turn && steers) stop <= value[0];
        end
    end
endmodule
