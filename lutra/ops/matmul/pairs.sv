// Dot products of PE rows of weights with SIMD codes of x, by rows of adders that select what they add.
//
// Two lanes a, b at a time: a bit of a's weight and one of b's select nothing, a, b or a + b. The sum a + b is made once
// for all PE, and the selection has five inputs, so that with the bit that it is added to it is one 6-input function:
// an adder as wide as x takes up two products of x with a bit. From row to row the weights' bits are worth twice as
// much, and the last ones of two's complement are subtracted. A lane that is left over is multiplied by two bits of its
// weight at a time, which select nothing, x, 2x or 3x.
//
// w comes one register after x. Latency 1 + (rows + 1) / 2 + clog2(pairs) after x, rows = WBITS, or half of that for a
// lane alone.
module lutra_pairs #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [SIMD*XBITS-1:0]    x,
    input  logic [PE*SIMD*WBITS-1:0] w,
    output logic [PE*OBITS-1:0]      out_data
);
    localparam int N = SIMD / 2;
    localparam int ALONE = SIMD % 2;
    localparam int M = N + ALONE;
    localparam int DIGITS = (WBITS + 1) / 2;
    localparam int STAGES = N > 0 ? (WBITS + 1) / 2 : (DIGITS + 1) / 2;
    localparam int FW = XBITS + WBITS + 1;  // of two products; that of a lane alone fits
    localparam int S = (XSIGNED != 0 || WSIGNED != 0) ? 1 : 0;
    localparam int AW = XBITS + 2;

    // What the rows select from, after 1 .. STAGES registers.
    logic [STAGES*M*3*AW-1:0] choices;
    generate
        for (genvar i = 0; i < M; i++) begin : g_prepare
            logic [AW-1:0] a, b;
            logic [3*AW-1:0] fresh;
            assign a = {{2{(XSIGNED != 0) && x[(2*i+1)*XBITS-1]}}, x[2*i*XBITS+:XBITS]};
            if (i < N) begin : g_pair
                assign b = {{2{(XSIGNED != 0) && x[(2*i+2)*XBITS-1]}}, x[(2*i+1)*XBITS+:XBITS]};
            end else begin : g_alone
                assign b = a << 1;
            end
            always_ff @(posedge clk) if (en) fresh <= {a + b, b, a};
            for (genvar t = 0; t < STAGES; t++) begin : g_stage
                lutra_delay #(.N(t), .W(3 * AW)) later (
                    .clk, .en, .in_data(fresh), .out_data(choices[(t*M+i)*3*AW+:3*AW]));
            end
        end
        for (genvar p = 0; p < PE; p++) begin : g_pe
            logic [M*FW-1:0] parts;
            logic [FW+$clog2(M)-1:0] sum;
            for (genvar i = 0; i < M; i++) begin : g_part
                logic [STAGES*3*AW-1:0] own;
                for (genvar t = 0; t < STAGES; t++) begin : g_stage
                    assign own[t*3*AW+:3*AW] = choices[(t*M+i)*3*AW+:3*AW];
                end
                if (i < N) begin : g_pair
                    lutra_rows #(
                        .ROWS(WBITS), .SHIFT(1), .STAGES(STAGES), .AW(AW), .SIGNED(XSIGNED), .MINUS(WSIGNED), .OUT(FW)
                    ) rows (
                        .clk, .en, .choices(own), .first(w[(p*SIMD+2*i)*WBITS+:WBITS]),
                        .second(w[(p*SIMD+2*i+1)*WBITS+:WBITS]), .out_data(parts[i*FW+:FW]));
                end else begin : g_alone
                    logic [2*DIGITS-1:0] bits;
                    logic [DIGITS-1:0] even, odd;
                    assign bits = {{2 * DIGITS - WBITS{1'b0}}, w[(p*SIMD+2*i)*WBITS+:WBITS]};
                    for (genvar d = 0; d < DIGITS; d++) begin : g_digit
                        assign {odd[d], even[d]} = bits[2*d+:2];
                    end
                    lutra_rows #(
                        .ROWS(DIGITS), .SHIFT(2), .STAGES(STAGES), .AW(AW), .SIGNED(XSIGNED),
                        .MINUS(WSIGNED == 0 ? 0 : WBITS % 2 != 0 ? 1 : 2), .OUT(FW)
                    ) rows (
                        .clk, .en, .choices(own), .first(even), .second(odd), .out_data(parts[i*FW+:FW]));
                end
            end
            lutra_sum #(.N(M), .W(FW), .SIGNED(S)) adders (
                .clk, .en, .in_data(parts), .carries(1'b0), .out_data(sum));
            lutra_fit #(.W(FW + $clog2(M)), .SIGNED(S), .SCALE(SCALE), .OBITS(OBITS)) fit (
                .in_data(sum), .out_data(out_data[p*OBITS+:OBITS]));
        end
    endgenerate
endmodule

// sum over r of chosen[r] * 2**(r * SHIFT), where bits r of `first` and `second` choose nothing, a, b or a + b. Two rows a
// stage; {a + b, b, a} comes for each stage, as late as that is. Codes of the choices are two's complement where SIGNED.
// MINUS: 1 the last row is subtracted; 2 in the last row, where b = 2a, `second` is worth -2a and not 2a.
// Latency STAGES, of which there may be more than the rows need.
module lutra_rows #(
    parameter int ROWS = 1,
    parameter int SHIFT = 1,
    parameter int STAGES = 1,
    parameter int AW = 1,
    parameter int SIGNED = 0,
    parameter int MINUS = 0,
    parameter int OUT = 1
) (
    input  logic                   clk,
    input  logic                   en,
    input  logic [STAGES*3*AW-1:0] choices,
    input  logic [ROWS-1:0]        first,
    input  logic [ROWS-1:0]        second,
    output logic [OUT-1:0]         out_data
);
    localparam int TW = AW + (ROWS - 1) * SHIFT;  // the whole
    localparam bit S = SIGNED != 0 || MINUS != 0;
    logic [TW-1:0] ends;
    generate
        for (genvar r = 0; r < ROWS; r++) begin : g_row
            localparam int T = r / 2;
            localparam bit LAST = r == ROWS - 1;
            localparam int LOW = r * SHIFT;
            logic [AW-1:0] a, b, s, chosen, held, sum;
            logic [TW-1:0] whole, total;  // the adder's result, and below that what is settled
            logic [1:0] pick;
            assign {s, b, a} = choices[T*3*AW+:3*AW];
            lutra_hold #(.N(T), .W(2)) later (.clk, .en, .in_data({second[r], first[r]}), .out_data(pick));
            if (LAST && MINUS == 2) begin : g_signed
                // -2a = ~b + 1, -a = ~a + 1
                assign chosen = pick[1] ? (pick[0] ? ~a : ~b) : (pick[0] ? a : '0);
            end else begin : g_plain
                assign chosen = pick[1] ? (pick[0] ? s : b) : (pick[0] ? a : '0);
            end
            if (r == 0) begin : g_first
                assign held = '0;
            end else begin : g_later
                logic [TW-1:0] settled;
                assign settled = g_row[r-1].total >> LOW;
                // A row's result has AW bits above those that it leaves settled.
                assign held = {{SHIFT{(SIGNED != 0) && settled[AW-SHIFT-1]}}, settled[AW-SHIFT-1:0]};
            end
            if (LAST && MINUS == 1) begin : g_minus
                assign sum = held - chosen;
            end else if (LAST && MINUS == 2) begin : g_carry
                logic [AW:0] difference;
                assign difference = {held, 1'b0} - {~chosen, ~pick[1]};
                assign sum        = difference[AW:1];
                logic unused_bit;
                assign unused_bit = &{1'b0, difference, s};
            end else begin : g_plus
                // held + chosen, as a difference: of a sum's operands synthesis may take either one to the carry chain,
                // and `chosen` would need functions of its own for that.
                logic [AW:0] difference;
                assign difference = {held, 1'b0} - {~chosen, 1'b1};
                assign sum        = difference[AW:1];
                logic unused_bit;
                assign unused_bit = &{1'b0, difference};
            end
            if (r == 0) begin : g_start
                assign whole = TW'(sum);
            end else begin : g_settled
                assign whole = (TW'(sum) << LOW) | TW'(g_row[r-1].total[LOW-1:0]);
            end
            if (r % 2 == 1 || LAST) begin : g_register
                lutra_hold #(.N(1), .W(TW)) register (.clk, .en, .in_data(whole), .out_data(total));
            end else begin : g_wire
                assign total = whole;
            end
        end
    endgenerate
    lutra_hold #(.N(STAGES - (ROWS + 1) / 2), .W(TW)) wait_for_others (
        .clk, .en, .in_data(g_row[ROWS-1].total), .out_data(ends));
    lutra_fit #(.W(TW), .SIGNED(S ? 1 : 0), .OBITS(OUT)) fit (.in_data(ends), .out_data(out_data));
endmodule

// in_data * SCALE, cut or extended to OBITS.
module lutra_fit #(
    parameter int W = 1,
    parameter int SIGNED = 0,
    parameter int SCALE = 1,
    parameter int OBITS = 1
) (
    input  logic [W-1:0]     in_data,
    output logic [OBITS-1:0] out_data
);
    logic [OBITS+W-1:0] wide;
    logic unused_bits;
    assign unused_bits = &{1'b0, wide};
    assign wide     = {{OBITS{(SIGNED != 0) && in_data[W-1]}}, in_data};
    assign out_data = (SCALE == 1) ? OBITS'(wide) : OBITS'(OBITS'(wide) * OBITS'(SCALE));
endmodule
