// y = x0 * x1 for PE channels a cycle: y's code is SCALE c0 c1 + BY0 c0 + BY1 c1 + AT of the codes c0, c1, and with
// PLAIN their product alone. Stages: a slice for each input, the product's rows, the other terms.
module lutra_mul #(
    parameter int PE = 1,
    parameter int X0BITS = 1,
    parameter int X0SIGNED = 0,
    parameter int X1BITS = 1,
    parameter int X1SIGNED = 0,
    parameter int OBITS = 1,
    parameter int PLAIN = 1,
    parameter int SCALE = 1,
    parameter int BY0 = 0,
    parameter int BY1 = 0,
    parameter int AT = 0
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [PE*X0BITS-1:0] in0_data,
    input  logic                 in0_valid,
    output logic                 in0_ready,
    input  logic [PE*X1BITS-1:0] in1_data,
    input  logic                 in1_valid,
    output logic                 in1_ready,
    output logic [PE*OBITS-1:0]  out_data,
    output logic                 out_valid,
    input  logic                 out_ready
);
    localparam int R = (X1BITS + (X1SIGNED == 0 ? 1 : 0) + 1) / 2;  // rows of the product
    localparam int PW = X0BITS + (X0SIGNED == 0 ? 1 : 0) + 2 * R;
    localparam int D = R + (PLAIN == 0 ? 1 : 0);
    logic en, pair;
    logic [PE*X0BITS-1:0] x0;
    logic [PE*X1BITS-1:0] x1;
    lutra_join #(.WIDTH0(PE * X0BITS), .WIDTH1(PE * X1BITS)) inputs (.out_valid(pair), .out_ready(en), .*);

    logic [D-1:0] valid_d;
    logic [D:0] valid;
    assign valid     = {valid_d, pair};
    assign out_valid = valid_d[D-1];
    assign en        = !out_valid || out_ready;
    always_ff @(posedge clk)
        if (rst) valid_d <= '0;
        else if (en) valid_d <= valid[D-1:0];

    generate
        for (genvar p = 0; p < PE; p++) begin : g_channel
            logic [PW-1:0] product;
            logic [OBITS+PW-1:0] wide;
            logic unused_bits;
            assign unused_bits = &{1'b0, wide};
            assign wide = {{OBITS{product[PW-1]}}, product};
            lutra_times #(
                .XBITS(X0BITS), .XSIGNED(X0SIGNED), .WBITS(X1BITS), .WSIGNED(X1SIGNED), .EXACT(1)
            ) times (.clk, .en, .x(x0[p*X0BITS+:X0BITS]), .w(x1[p*X1BITS+:X1BITS]), .out_data(product));
            if (PLAIN != 0) begin : g_product
                assign out_data[p*OBITS+:OBITS] = OBITS'(wide);
            end else begin : g_terms
                logic [OBITS+X0BITS-1:0] wide0;
                logic [OBITS+X1BITS-1:0] wide1;
                logic [OBITS-1:0] term0, terms, terms_r, late, total;
                logic unused_terms;
                assign unused_terms = &{1'b0, wide0, wide1};
                assign wide0 = {{OBITS{X0SIGNED != 0 && x0[p*X0BITS+X0BITS-1]}}, x0[p*X0BITS+:X0BITS]};
                assign wide1 = {{OBITS{X1SIGNED != 0 && x1[p*X1BITS+X1BITS-1]}}, x1[p*X1BITS+:X1BITS]};
                lutra_scaled #(.W(OBITS), .SCALE(BY0)) by0 (.start(OBITS'(AT)), .x(OBITS'(wide0)), .out_data(term0));
                lutra_scaled #(.W(OBITS), .SCALE(BY1)) by1 (.start(term0), .x(OBITS'(wide1)), .out_data(terms));
                lutra_delay #(.N(R - 1), .W(OBITS)) align (.clk, .en, .in_data(terms_r), .out_data(late));
                lutra_scaled #(.W(OBITS), .SCALE(SCALE)) all (.start(late), .x(OBITS'(wide)), .out_data(total));
                always_ff @(posedge clk)
                    if (en) begin
                        terms_r <= terms;
                        out_data[p*OBITS+:OBITS] <= total;
                    end
            end
        end
    endgenerate
endmodule
