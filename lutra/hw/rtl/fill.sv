// Behind a frame's last word as many words of VALUE as make it WORDS long, for who has to know how long a frame is before it
// comes. in_last belongs to the word at the input, and comes no later than with the WORDS-th.
module lutra_fill #(
    parameter int BITS = 8,
    parameter int WORDS = 2,
    parameter logic [BITS-1:0] VALUE = '0
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [BITS-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    input  logic            in_last,
    output logic [BITS-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready,
    output logic            out_last
);
    logic filling;
    assign out_data  = filling ? VALUE : in_data;
    assign out_valid = filling || in_valid;
    assign in_ready  = out_ready && !filling;
    lutra_count #(.N(WORDS)) words (.clk, .rst, .step(out_valid && out_ready), .last(out_last));
    always_ff @(posedge clk)
        if (rst) filling <= 1'b0;
        else if (out_valid && out_ready) filling <= !out_last && (filling || in_last);
endmodule
