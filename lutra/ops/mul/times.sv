// x * w, a row for each radix-4 digit of w (Booth, "A signed binary multiplication technique", 1951), a register after
// each row. Digit i is -2 w[2i+1] + w[2i] + w[2i-1], so a bit of digit * x and its addition are one 6-input function.
// A digit below zero needs 4**i more than the bits' complement: with EXACT = 0 that is left out, for whoever knows w.
// The result is two's complement.
module lutra_times #(
    parameter int XBITS = 1,
    parameter int XSIGNED = 0,
    parameter int WBITS = 1,
    parameter int WSIGNED = 0,
    parameter int EXACT = 1,
    parameter int R = (WBITS + (WSIGNED == 0 ? 1 : 0) + 1) / 2,  // rows
    parameter int XW = XBITS + (XSIGNED == 0 ? 1 : 0)
) (
    input  logic              clk,
    input  logic              en,
    input  logic [XBITS-1:0]  x,
    input  logic [WBITS-1:0]  w,
    output logic [XW+2*R-1:0] out_data
);
    localparam int HW = XW + 2;  // of the sum so far, over the digit's weight
    localparam int DW = 2 * R + 1;
    logic [R*HW-1:0] high;
    logic [R*2*R-1:0] low;  // bits of the sum that no further row changes, in the upper bits of 2 R
    logic [R*XW-1:0] factor;
    logic [R*DW-1:0] rest;  // of w, the next digit lowest
    assign factor[0+:XW] = XW'({(XSIGNED != 0) && x[XBITS-1], x});
    assign rest[0+:DW]   = DW'({{DW{(WSIGNED != 0) && w[WBITS-1]}}, w, 1'b0});
    generate
        for (genvar i = 0; i < R; i++) begin : g_row
            logic [XW-1:0] value;
            logic [2:0] digit;
            logic one, two, less;
            logic [XW:0] part;
            logic [HW-1:0] prior, sum;
            logic [2*R-1:0] settled;
            assign value = factor[i*XW+:XW];
            assign digit = rest[i*DW+:3];
            assign one   = digit[1] ^ digit[0];
            assign two   = digit == 3'b100 || digit == 3'b011;
            assign less  = digit[2] && !(digit[1] && digit[0]);
            assign part  = (({XW + 1{one}} & {value[XW-1], value}) | ({XW + 1{two}} & {value, 1'b0})) ^ {XW + 1{less}};
            if (i == 0) begin : g_first
                assign prior  = '0;
                assign settled = '0;
            end else begin : g_next
                logic [HW-1:0] last;
                assign last    = high[(i-1)*HW+:HW];
                assign prior  = {{2{last[HW-1]}}, last[HW-1:2]};
                assign settled = {last[1:0], low[(i-1)*2*R+2+:2*R-2]};
            end
            if (EXACT != 0) begin : g_exact
                logic unused_carry;
                assign {sum, unused_carry} = {prior, 1'b1} + {part[XW], part, less};
            end else begin : g_short
                assign sum = prior + {part[XW], part};
            end
            always_ff @(posedge clk)
                if (en) begin
                    high[i*HW+:HW]    <= sum;
                    low[i*2*R+:2*R]   <= settled;
                end
            if (i < R - 1) begin : g_follow
                always_ff @(posedge clk)
                    if (en) begin
                        factor[(i+1)*XW+:XW] <= value;
                        rest[(i+1)*DW+:DW]   <= {2'b00, rest[i*DW+2+:DW-2]};
                    end
            end
        end
    endgenerate
    logic [HW+2*R-1:0] whole;
    logic unused_bits;
    assign whole       = {high[(R-1)*HW+:HW], low[(R-1)*2*R+:2*R]};
    assign unused_bits = &{1'b0, whole[1:0]};
    assign out_data    = whole[HW+2*R-1:2];
endmodule
