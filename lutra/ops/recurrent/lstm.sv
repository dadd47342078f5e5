// Long short-term memory on columns of sequences: see op.py for what it computes, recurrent.sv for how sums come about.
// In registers after the last product: 1 the sums, 2 their casts, 3 the gates, 4 two products, 5 the cast of their sum,
// 6 c and its tanh, 7 h before its cast, 8 h in memory. With peepholes, p_o c comes at 7 and o at 9; the rest is 3 later.
//
// A cast has parameters for its shift, the bits of its quotient, its width, its sign, its modes: G gates, S and T the
// addresses of sigmoid and tanh, C c, K the address of its tanh, H h.
module lutra_lstm #(
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
    parameter int CELL_BLOCK = 0,  // c in block RAM
    parameter int TABLE_BLOCK = 0,  // tables in block RAM
    parameter int PEEPHOLES = 0,
    parameter int PBITS = 1,  // of a peephole's weight, two's complement
    parameter int PEEP_SHIFT = 0,
    parameter int IG_SHIFT = 0,
    parameter int FC_SHIFT = 0,
    parameter int GSHIFT = 0,
    parameter int GQBITS = 2,
    parameter int GBITS = 1,
    parameter int GSIGNED = 0,
    parameter int GROUNDING = 0,
    parameter int GOVERFLOW = 0,
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
    parameter int CSHIFT = 0,
    parameter int CQBITS = 2,
    parameter int CBITS = 1,
    parameter int CSIGNED = 0,
    parameter int CROUNDING = 0,
    parameter int COVERFLOW = 0,
    parameter int KSHIFT = 0,
    parameter int KQBITS = 2,
    parameter int KBITS = 1,
    parameter int KSIGNED = 0,
    parameter int KROUNDING = 0,
    parameter int KOVERFLOW = 0,
    parameter int HSHIFT = 0,
    parameter int HQBITS = 2,
    parameter int HBITS = 1,
    parameter int HSIGNED = 0,
    parameter int HROUNDING = 0,
    parameter int HOVERFLOW = 0,
    parameter int SIGMOID_BITS = 1,  // of a table's entries, two's complement
    parameter int TANH_BITS = 1,
    parameter int CELL_TANH_BITS = 1,
    parameter int UBITS = 2,  // of the sum that is cast to c, two's complement
    parameter WX = "",
    parameter WH = "",
    parameter BIAS = "",
    parameter PEEP = "",  // a word of PE * 3 weights for each word of sums of a step of each direction
    parameter SIGMOID = "",  // by the code of the address
    parameter TANH = "",
    parameter CELL_TANH = ""
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
    localparam int CELL = PEEPHOLES != 0 ? 11 : 8;
    localparam int WORDS = CONTEXTS * NF;
    localparam int AW = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam int CW = CBITS + 1;  // of c, two's complement
    localparam int PW = PBITS + CW + PEEP_SHIFT;

    logic en, soon, initial_soon, done, final_done, final_h;
    logic [PE*4*ABITS-1:0] sums;
    logic [PE*HBITS-1:0] h;
    logic [CELL-2:0] there;  // bit i: i + 1 registers after the last product
    lutra_recurrent #(
        .PE(PE), .NF(NF), .SX(SX), .SR(SR), .CONTEXTS(CONTEXTS), .DIRECTIONS(DIRECTIONS), .REST(REST), .LBITS(LBITS),
        .ABITS(ABITS), .SIMD(SIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .XSCALE(XSCALE), .XWBITS(XWBITS),
        .XWSIGNED(XWSIGNED), .XBIPOLAR(XBIPOLAR), .XFORM(XFORM), .XDEPTH(XDEPTH), .XBLOCK(XBLOCK), .SIMD_R(SIMD_R), .HBITS(HBITS), .HSIGNED(HSIGNED),
        .HSCALE(HSCALE), .HWBITS(HWBITS), .HWSIGNED(HWSIGNED), .HBIPOLAR(HBIPOLAR), .HFORM(HFORM), .HDEPTH(HDEPTH),
        .HBLOCK(HBLOCK), .TOGETHER(TOGETHER), .STATE_BLOCK(STATE_BLOCK), .WX(WX), .WH(WH), .BIAS(BIAS)
    ) core (
        .clk, .rst, .in0_data, .in0_valid, .in0_ready, .in1_data, .in1_valid, .in1_ready, .en, .soon, .initial_soon,
        .done, .final_done, .sums, .store(there[CELL-2]), .h);
    assign there[0] = done;
    always_ff @(posedge clk)
        if (rst) there[CELL-2:1] <= '0;
        else if (en) there[CELL-2:1] <= there[CELL-3:0];
    lutra_delay #(.N(CELL - 2), .W(1)) ending (.clk, .en, .in_data(final_done), .out_data(final_h));

    // c of each neuron; with peepholes it is read 3 registers earlier. 0 for a sequence's first column.
    logic [AW-1:0] read_at, write_at;
    logic [PE*CBITS-1:0] read, fetched, past, made;
    logic fetch, fresh;
    assign fetch = PEEPHOLES != 0 ? soon : there[1];
    always_ff @(posedge clk)
        if (rst) begin
            read_at  <= '0;
            write_at <= '0;
        end else if (en) begin
            if (fetch) read_at <= read_at == AW'(WORDS - 1) ? '0 : read_at + 1'b1;
            if (there[4]) write_at <= write_at == AW'(WORDS - 1) ? '0 : write_at + 1'b1;
        end
    lutra_recurrent_words #(.WIDTH(PE * CBITS), .DEPTH(WORDS), .BLOCK(CELL_BLOCK)) cells (
        .clk, .write(en && there[4]), .waddr(write_at), .in_data(made), .fetch(en), .raddr(read_at), .fetched(read));
    lutra_delay #(.N(PEEPHOLES != 0 ? 0 : 3), .W(1)) early (.clk, .en, .in_data(initial_soon), .out_data(fresh));
    assign fetched = read & {PE * CBITS{!fresh}};
    lutra_delay #(.N(PEEPHOLES != 0 ? 3 : 0), .W(PE * CBITS)) hold (.clk, .en, .in_data(fetched), .out_data(past));
    wire unused = &{1'b0, soon};

    logic [PE*3*PBITS-1:0] peep;
    generate
        if (PEEPHOLES != 0) begin : g_peepholes
            localparam int OWN = DIRECTIONS * NF;
            localparam int OW = OWN > 1 ? $clog2(OWN) : 1;
            logic [OW-1:0] own_at;
            if (OWN == WORDS) begin : g_alone
                assign own_at = read_at;
            end else begin : g_group
                always_ff @(posedge clk)
                    if (rst) own_at <= '0;
                    else if (en && fetch) own_at <= own_at == OW'(OWN - 1) ? '0 : own_at + 1'b1;
            end
            lutra_rom #(.WIDTH(PE * 3 * PBITS), .DEPTH(OWN), .BLOCK(0), .FILE(PEEP)) weights (
                .clk, .en, .index(own_at), .out_data(peep));
        end else begin : g_none
            assign peep = '0;
        end

        for (genvar p = 0; p < PE; p++) begin : g_neuron
            wire [4*ABITS-1:0] a = sums[p*4*ABITS+:4*ABITS];
            wire signed [CW-1:0] c_first = $signed({CSIGNED != 0 && fetched[p*CBITS+CBITS-1], fetched[p*CBITS+:CBITS]});
            wire signed [CW-1:0] c_past = $signed({CSIGNED != 0 && past[p*CBITS+CBITS-1], past[p*CBITS+:CBITS]});
            wire signed [PBITS-1:0] p_i = $signed(peep[p*3*PBITS+:PBITS]);
            wire signed [PBITS-1:0] p_f = $signed(peep[(p*3+1)*PBITS+:PBITS]);
            wire signed [PBITS-1:0] p_o = $signed(peep[(p*3+2)*PBITS+:PBITS]);
            logic signed [CW-1:0] c;  // the new one

            // The sums of i, f, g and o, and what peepholes add to them.
            logic [4*ABITS-1:0] whole;
            logic signed [PW-1:0] peep_i, peep_f, peep_o;
            logic [ABITS-1:0] a_o;
            assign whole[2*ABITS+:ABITS] = a[2*ABITS+:ABITS];
            if (PEEPHOLES != 0) begin : g_peeped
                logic signed [PBITS-1:0] weight_o;
                lutra_delay #(.N(6), .W(PBITS)) wait_p (.clk, .en, .in_data(p_o), .out_data(weight_o));
                lutra_delay #(.N(6), .W(ABITS)) wait_a (.clk, .en, .in_data(a[3*ABITS+:ABITS]), .out_data(a_o));
                always_ff @(posedge clk)
                    if (en) begin
                        peep_i <= (PW'(p_i) * PW'(c_first)) <<< PEEP_SHIFT;
                        peep_f <= (PW'(p_f) * PW'(c_first)) <<< PEEP_SHIFT;
                        peep_o <= (PW'(weight_o) * PW'(c)) <<< PEEP_SHIFT;
                    end
                assign whole[0+:ABITS]       = a[0+:ABITS] + ABITS'(peep_i);
                assign whole[ABITS+:ABITS]   = a[ABITS+:ABITS] + ABITS'(peep_f);
                assign whole[3*ABITS+:ABITS] = a_o + ABITS'(peep_o);
            end else begin : g_plain
                assign whole[0+:2*ABITS]     = a[0+:2*ABITS];
                assign a_o                   = a[3*ABITS+:ABITS];
                assign whole[3*ABITS+:ABITS] = a_o;
                assign {peep_i, peep_f, peep_o} = '0;
                wire unused_peep = &{1'b0, peep_i, peep_f, peep_o, p_i, p_f, p_o, c_first};
            end

            // Casts and tables.
            logic [4*SIGMOID_BITS-1:0] z;
            logic signed [SIGMOID_BITS-1:0] z_i, z_f, z_o, z_open;
            logic signed [TANH_BITS-1:0] z_g;
            for (genvar g = 0; g < 4; g++) begin : g_gate
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
                    ) gate (.clk, .en, .quotient, .above, .kept(unused_kept), .out_data(z_g));
                    assign z[g*SIGMOID_BITS+:SIGMOID_BITS] = '0;
                end else begin : g_sigmoid
                    lutra_recurrent_lookup #(
                        .QBITS(GQBITS), .WIDTH(GBITS), .SIGNED(GSIGNED), .OVERFLOW(GOVERFLOW), .INDEX_SHIFT(SSHIFT),
                        .INDEX_QBITS(SQBITS), .INDEX_BITS(SBITS), .INDEX_SIGNED(SSIGNED), .INDEX_ROUNDING(SROUNDING),
                        .INDEX_OVERFLOW(SOVERFLOW), .OBITS(SIGMOID_BITS), .BLOCK(TABLE_BLOCK * SIGMOID_BITS),
                        .TABLE(SIGMOID)
                    ) gate (.clk, .en, .quotient, .above, .kept(unused_kept),
                        .out_data(z[g*SIGMOID_BITS+:SIGMOID_BITS]));
                end
            end
            assign z_i    = z[0+:SIGMOID_BITS];
            assign z_f    = z[SIGMOID_BITS+:SIGMOID_BITS];
            assign z_open = z[3*SIGMOID_BITS+:SIGMOID_BITS];

            // c, its tanh, h.
            localparam int IG = SIGMOID_BITS + TANH_BITS;
            localparam int FC = SIGMOID_BITS + CW;
            logic signed [IG-1:0] ig;
            logic signed [FC-1:0] fc;
            logic signed [UBITS-1:0] total;
            logic signed [CQBITS-1:0] next_c, quotient_c;
            logic next_c_above, above_c;
            logic [CBITS-1:0] kept_c;
            logic signed [CELL_TANH_BITS-1:0] tanh_c, tanh_late;
            assign total = (UBITS'(ig) <<< IG_SHIFT) + (UBITS'(fc) <<< FC_SHIFT);
            wire unused_z = &{1'b0, z};
            lutra_rounded #(
                .XBITS(UBITS), .XSIGNED(1), .SHIFT(CSHIFT), .QBITS(CQBITS), .WIDTH(CBITS), .ROUNDING(CROUNDING)
            ) cast_c (.x(total), .quotient(next_c), .above(next_c_above));
            always_ff @(posedge clk)
                if (en) begin
                    ig         <= IG'(z_i) * IG'(z_g);
                    fc         <= FC'(z_f) * FC'(c_past);
                    quotient_c <= next_c;
                    above_c    <= next_c_above;
                    c          <= $signed({CSIGNED != 0 && kept_c[CBITS-1], kept_c});
                end
            lutra_recurrent_lookup #(
                .QBITS(CQBITS), .WIDTH(CBITS), .SIGNED(CSIGNED), .OVERFLOW(COVERFLOW), .INDEX_SHIFT(KSHIFT),
                .INDEX_QBITS(KQBITS), .INDEX_BITS(KBITS), .INDEX_SIGNED(KSIGNED), .INDEX_ROUNDING(KROUNDING),
                .INDEX_OVERFLOW(KOVERFLOW), .OBITS(CELL_TANH_BITS), .BLOCK(TABLE_BLOCK * CELL_TANH_BITS), .TABLE(CELL_TANH)
            ) curve (.clk, .en, .quotient(quotient_c), .above(above_c), .kept(kept_c), .out_data(tanh_c));
            assign made[p*CBITS+:CBITS] = kept_c;
            lutra_delay #(.N(PEEPHOLES != 0 ? 0 : 3), .W(SIGMOID_BITS)) wait_o (
                .clk, .en, .in_data(z_open), .out_data(z_o));
            lutra_delay #(.N(PEEPHOLES != 0 ? 3 : 0), .W(CELL_TANH_BITS)) wait_c (
                .clk, .en, .in_data(tanh_c), .out_data(tanh_late));

            localparam int OC = SIGMOID_BITS + CELL_TANH_BITS;
            logic signed [OC-1:0] product;
            logic signed [HQBITS-1:0] quotient_h;
            logic above_h;
            always_ff @(posedge clk) if (en) product <= OC'(z_o) * OC'(tanh_late);
            lutra_rounded #(
                .XBITS(OC), .XSIGNED(1), .SHIFT(HSHIFT), .QBITS(HQBITS), .WIDTH(HBITS), .ROUNDING(HROUNDING)
            ) cast_h (.x(product), .quotient(quotient_h), .above(above_h));
            lutra_overflowed #(.QBITS(HQBITS), .WIDTH(HBITS), .SIGNED(HSIGNED), .OVERFLOW(HOVERFLOW)) over_h (
                .quotient(quotient_h), .above(above_h), .kept(h[p*HBITS+:HBITS]));
        end
    endgenerate
    lutra_skid #(.WIDTH(PE * HBITS + 1)) slice (
        .clk, .rst, .in_data({final_h, h}), .in_valid(there[CELL-2]), .in_ready(en),
        .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule
