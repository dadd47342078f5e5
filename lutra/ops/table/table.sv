// y = values[channel][code of x], PE channels a cycle: a memory with a reading port for each of them.
module lutra_table #(
    parameter int PE = 1,
    parameter int NF = 1,  // words in which the channels come; 1 where all channels share a table
    parameter int XBITS = 1,
    parameter int OBITS = 1,
    parameter int LANES = 1,  // tables in a memory word: PE, or 1 where all share one
    parameter int BLOCK = 0,
    parameter VALUES = ""  // NF << XBITS words of LANES codes: index nf, then the code of x
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [PE*XBITS-1:0] in_data,
    input  logic                in_valid,
    output logic                in_ready,
    output logic [PE*OBITS-1:0] out_data,
    output logic                out_valid,
    input  logic                out_ready
);
    localparam int NW = NF > 1 ? $clog2(NF) : 1;
    localparam int DEPTH = NF << XBITS;
    localparam int AW = $clog2(DEPTH);
    logic en;
    logic [NW-1:0] nf;
    logic [1:0] valid_d;
    assign in_ready = en;
    always_ff @(posedge clk)
        if (rst) begin
            nf      <= '0;
            valid_d <= '0;
        end else if (en) begin
            valid_d <= {valid_d[0], in_valid};
            if (in_valid) nf <= (nf == NW'(NF - 1)) ? '0 : nf + 1'b1;
        end

    logic [PE*OBITS-1:0] value;
    generate
        for (genvar p = 0; p < PE; p++) begin : g_channel
            logic [AW-1:0] node;
            logic [LANES*OBITS-1:0] row;
            always_ff @(posedge clk) if (en) node <= AW'({nf, in_data[p*XBITS+:XBITS]});
            lutra_rom #(.WIDTH(LANES * OBITS), .DEPTH(DEPTH), .BLOCK(BLOCK * LANES * OBITS), .FILE(VALUES)) values (
                .clk, .en, .index(node), .out_data(row));
            logic unused_lanes;  // of other channels
            assign unused_lanes = &{1'b0, row};
            assign value[p*OBITS+:OBITS] = row[(p%LANES)*OBITS+:OBITS];
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * OBITS)) slice (
        .clk, .rst, .in_data(value), .in_valid(valid_d[1]), .in_ready(en), .out_data, .out_valid, .out_ready);
endmodule
