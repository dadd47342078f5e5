// Gated recurrent unit on columns of sequences: see op.py for what it computes, recurrent.sv for how sums come about.
// In registers after the last product: 1 the sums, 2 the casts of r, z and u, 3 gates and u, 4 their product, 5 the cast
// of n, 6 n, 7 two products, 8 the cast of their sum, 9 h in memory.
//
// A cast has parameters for its shift, the bits of its quotient, its width, its sign, its modes: G gates, U u, S and T the
// addresses of sigmoid and tanh, H h.
module lutra_gru #(
    parameter int PE = 1,
    parameter int NF = 1,
    parameter int SX = 1,
    parameter int SR = 1,
    parameter int CONTEXTS = 1,
    parameter int DIRECTIONS = 1,  // of them with weights of their own
    parameter int REST = 0,
    parameter int LBITS = 1,
    parameter int ABITS = 2,
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int XSCALE = 1,
    parameter int XWBITS = 1,
    parameter int XWSIGNED = 0,
    parameter int XBIPOLAR = 0,
    parameter int XFORM = 0,
    parameter int XDEPTH = 3,
    parameter int XBLOCK = 0,
    parameter int SIMD_R = 1,
    parameter int HSCALE = 1,
    parameter int HWBITS = 1,
    parameter int HWSIGNED = 0,
    parameter int HBIPOLAR = 0,
    parameter int HFORM = 0,
    parameter int HDEPTH = 3,
    parameter int HBLOCK = 0,
    parameter int TOGETHER = 1,
    parameter int STATE_BLOCK = 0,
    parameter int PAST_BLOCK = 0,  // the last h, as its own neuron reads it, in block RAM
    parameter int TABLE_BLOCK = 0,  // tables in block RAM
    parameter int RU_SHIFT = 0,
    parameter int ZN_SHIFT = 0,
    parameter int ZH_SHIFT = 0,
    parameter int ONE = 0,
    parameter int GSHIFT = 0,
    parameter int GQBITS = 2,
    parameter int GBITS = 1,
    parameter int GSIGNED = 0,
    parameter int GROUNDING = 0,
    parameter int GOVERFLOW = 0,
    parameter int USHIFT = 0,
    parameter int UQBITS = 2,
    parameter int UBITS = 1,
    parameter int USIGNED = 0,
    parameter int UROUNDING = 0,
    parameter int UOVERFLOW = 0,
    parameter int SSHIFT = 0,
    parameter int SQBITS = 2,
    parameter int SBITS = 1,
    parameter int SSIGNED = 0,
    parameter int SROUNDING = 0,
    parameter int SOVERFLOW = 0,
    parameter int TSHIFT = 0,
    parameter int TQBITS = 2,
    parameter int TBITS = 1,
    parameter int TSIGNED = 0,
    parameter int TROUNDING = 0,
    parameter int TOVERFLOW = 0,
    parameter int HSHIFT = 0,
    parameter int HQBITS = 2,
    parameter int HBITS = 1,
    parameter int HSIGNED = 0,
    parameter int HROUNDING = 0,
    parameter int HOVERFLOW = 0,
    parameter int SIGMOID_BITS = 1,  // of a table's entries, two's complement
    parameter int TANH_BITS = 1,
    parameter int RBITS = 1,  // of one less a gate, two's complement
    parameter int VBITS = 2,  // of the sum that is cast to h, two's complement
    parameter WX = "",
    parameter WH = "",
    parameter BIAS = "",
    parameter SIGMOID = "",  // by the code of the address
    parameter TANH = ""
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic [SIMD*XBITS-1:0] in0_data,
    input  logic                  in0_valid,
    output logic                  in0_ready,
    input  logic [     LBITS-1:0] in1_data,
    input  logic                  in1_valid,
    output logic                  in1_ready,
    output logic [  PE*HBITS-1:0] out_data,
    output logic                  out_last,
    output logic                  out_valid,
    input  logic                  out_ready
);
    localparam int CELL = 9;
    localparam int WORDS = CONTEXTS * NF;
    localparam int AW = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam int HW = HBITS + 1;  // of h, two's complement
    localparam int UW = UBITS + 1;

    logic en, unused_soon, initial_soon, done, final_done, final_h;
    logic [PE*4*ABITS-1:0] sums;  // of r, z, n's column, n's h
    logic [PE*HBITS-1:0] h;
    logic [CELL-2:0] there;  // bit i: i + 1 registers after the last product
    lutra_recurrent #(
        .PE(PE), .NF(NF), .SX(SX), .SR(SR), .CONTEXTS(CONTEXTS), .DIRECTIONS(DIRECTIONS), .REST(REST), .LBITS(LBITS),
        .GATES(3), .SPLIT(1), .ABITS(ABITS), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .XSCALE(XSCALE),
        .XWBITS(XWBITS), .XWSIGNED(XWSIGNED), .XBIPOLAR(XBIPOLAR), .XFORM(XFORM), .XDEPTH(XDEPTH), .XBLOCK(XBLOCK), .SIMD_R(SIMD_R),
        .HBITS(HBITS), .HSIGNED(HSIGNED), .HSCALE(HSCALE), .HWBITS(HWBITS), .HWSIGNED(HWSIGNED), .HBIPOLAR(HBIPOLAR),
        .HFORM(HFORM), .HDEPTH(HDEPTH), .HBLOCK(HBLOCK), .TOGETHER(TOGETHER), .STATE_BLOCK(STATE_BLOCK), .WX(WX),
        .WH(WH), .BIAS(BIAS)
    ) core (
        .clk, .rst, .in0_data, .in0_valid, .in0_ready, .in1_data, .in1_valid, .in1_ready, .en, .soon(unused_soon),
        .initial_soon, .done, .final_done, .sums, .store(there[CELL-2]), .h);
    assign there[0] = done;
    always_ff @(posedge clk)
        if (rst) there[CELL-2:1] <= '0;
        else if (en) there[CELL-2:1] <= there[CELL-3:0];
    lutra_delay #(.N(CELL - 2), .W(1)) ending (.clk, .en, .in_data(final_done), .out_data(final_h));

    // The last h of the neurons under way. 0 for a sequence's first column.
    logic [AW-1:0] read_at, write_at;
    logic [PE*HBITS-1:0] read, past;
    logic fresh;
    always_ff @(posedge clk)
        if (rst) begin
            read_at  <= '0;
            write_at <= '0;
        end else if (en) begin
            if (there[4]) read_at <= read_at == AW'(WORDS - 1) ? '0 : read_at + 1'b1;
            if (there[7]) write_at <= write_at == AW'(WORDS - 1) ? '0 : write_at + 1'b1;
        end
    lutra_recurrent_words #(.WIDTH(PE * HBITS), .DEPTH(WORDS), .BLOCK(PAST_BLOCK)) states (
        .clk, .write(en && there[7]), .waddr(write_at), .in_data(h), .fetch(en), .raddr(read_at), .fetched(read));
    lutra_delay #(.N(6), .W(1)) begins (.clk, .en, .in_data(initial_soon), .out_data(fresh));
    assign past = read & {PE * HBITS{!fresh}};

    generate
        for (genvar p = 0; p < PE; p++) begin : g_neuron
            wire [4*ABITS-1:0] a = sums[p*4*ABITS+:4*ABITS];
            localparam int RU = SIGMOID_BITS + UW;
            logic signed [RU-1:0] ru;
            logic [3*ABITS-1:0] whole;  // of r, z and n, as they are cast
            logic [ABITS-1:0] column;
            lutra_delay #(.N(3), .W(ABITS)) wait_n (.clk, .en, .in_data(a[2*ABITS+:ABITS]), .out_data(column));
            assign whole = {column + (ABITS'(ru) << RU_SHIFT), a[0+:2*ABITS]};

            logic [2*SIGMOID_BITS-1:0] z;
            logic signed [SIGMOID_BITS-1:0] z_r, z_now, z_z;
            logic signed [TANH_BITS-1:0] n;
            for (genvar g = 0; g < 3; g++) begin : g_gate
                logic signed [GQBITS-1:0] next, quotient;
                logic next_above, above;
                logic [GBITS-1:0] unused_kept;
                lutra_rounded #(
                    .XBITS(ABITS), .XSIGNED(1), .SHIFT(GSHIFT), .QBITS(GQBITS), .WIDTH(GBITS), .ROUNDING(GROUNDING)
                ) cast (.x(whole[g*ABITS+:ABITS]), .quotient(next), .above(next_above));
                always_ff @(posedge clk)
                    if (en) begin
                        quotient <= next;
                        above    <= next_above;
                    end
                if (g == 2) begin : g_tanh
                    lutra_recurrent_lookup #(
                        .QBITS(GQBITS), .WIDTH(GBITS), .SIGNED(GSIGNED), .OVERFLOW(GOVERFLOW), .INDEX_SHIFT(TSHIFT),
                        .INDEX_QBITS(TQBITS), .INDEX_BITS(TBITS), .INDEX_SIGNED(TSIGNED), .INDEX_ROUNDING(TROUNDING),
                        .INDEX_OVERFLOW(TOVERFLOW), .OBITS(TANH_BITS), .BLOCK(TABLE_BLOCK * TANH_BITS), .TABLE(TANH)
                    ) gate (.clk, .en, .quotient, .above, .kept(unused_kept), .out_data(n));
                end else begin : g_sigmoid
                    lutra_recurrent_lookup #(
                        .QBITS(GQBITS), .WIDTH(GBITS), .SIGNED(GSIGNED), .OVERFLOW(GOVERFLOW), .INDEX_SHIFT(SSHIFT),
                        .INDEX_QBITS(SQBITS), .INDEX_BITS(SBITS), .INDEX_SIGNED(SSIGNED), .INDEX_ROUNDING(SROUNDING),
                        .INDEX_OVERFLOW(SOVERFLOW), .OBITS(SIGMOID_BITS), .BLOCK(TABLE_BLOCK * SIGMOID_BITS),
                        .TABLE(SIGMOID)
                    ) gate (
                        .clk, .en, .quotient, .above, .kept(unused_kept), .out_data(z[g*SIGMOID_BITS+:SIGMOID_BITS]));
                end
            end
            assign z_r   = z[0+:SIGMOID_BITS];
            assign z_now = z[SIGMOID_BITS+:SIGMOID_BITS];
            lutra_delay #(.N(3), .W(SIGMOID_BITS)) wait_z (.clk, .en, .in_data(z_now), .out_data(z_z));

            // u, and what the gate r leaves of it.
            logic signed [UQBITS-1:0] next_u, quotient_u;
            logic next_u_above, above_u;
            logic [UBITS-1:0] kept_u;
            logic signed [UW-1:0] u;
            lutra_rounded #(
                .XBITS(ABITS), .XSIGNED(1), .SHIFT(USHIFT), .QBITS(UQBITS), .WIDTH(UBITS), .ROUNDING(UROUNDING)
            ) cast_u (.x(a[3*ABITS+:ABITS]), .quotient(next_u), .above(next_u_above));
            lutra_overflowed #(.QBITS(UQBITS), .WIDTH(UBITS), .SIGNED(USIGNED), .OVERFLOW(UOVERFLOW)) over_u (
                .quotient(quotient_u), .above(above_u), .kept(kept_u));

            // h.
            localparam int NR = RBITS + TANH_BITS;
            localparam int ZH = SIGMOID_BITS + HW;
            logic signed [RBITS-1:0] rest;
            logic signed [NR-1:0] fresh_part;
            logic signed [ZH-1:0] past_part;
            logic signed [VBITS-1:0] total;
            logic signed [HQBITS-1:0] next_h, quotient_h;
            logic next_h_above, above_h;
            wire signed [HW-1:0] last = $signed({HSIGNED != 0 && past[p*HBITS+HBITS-1], past[p*HBITS+:HBITS]});
            assign rest  = RBITS'(ONE) - RBITS'(z_z);
            assign total = (VBITS'(fresh_part) <<< ZN_SHIFT) + (VBITS'(past_part) <<< ZH_SHIFT);
            lutra_rounded #(
                .XBITS(VBITS), .XSIGNED(1), .SHIFT(HSHIFT), .QBITS(HQBITS), .WIDTH(HBITS), .ROUNDING(HROUNDING)
            ) cast_h (.x(total), .quotient(next_h), .above(next_h_above));
            always_ff @(posedge clk)
                if (en) begin
                    quotient_u <= next_u;
                    above_u    <= next_u_above;
                    u          <= $signed({USIGNED != 0 && kept_u[UBITS-1], kept_u});
                    ru         <= RU'(z_r) * RU'(u);
                    fresh_part <= NR'(rest) * NR'(n);
                    past_part  <= ZH'(z_z) * ZH'(last);
                    quotient_h <= next_h;
                    above_h    <= next_h_above;
                end
            lutra_overflowed #(.QBITS(HQBITS), .WIDTH(HBITS), .SIGNED(HSIGNED), .OVERFLOW(HOVERFLOW)) over_h (
                .quotient(quotient_h), .above(above_h), .kept(h[p*HBITS+:HBITS]));
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * HBITS + 1)) slice (
        .clk, .rst, .in_data({final_h, h}), .in_valid(there[CELL-2]), .in_ready(en),
        .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule
