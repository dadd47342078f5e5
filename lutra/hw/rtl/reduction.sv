// What a sum or a maximum over TERMS pixels, of WORDS words each, keeps between them: `held` is what was `kept` at this
// word of the pixel before; `first` and `last` say which pixel the step to come is in. A step is a word.
module lutra_reduction #(
    parameter int WIDTH = 1,
    parameter int WORDS = 1,
    parameter int TERMS = 2
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             step,
    input  logic [WIDTH-1:0] kept,
    output logic [WIDTH-1:0] held,
    output logic             first,
    output logic             last
);
    logic word_last;
    lutra_count #(.N(WORDS)) word (.clk, .rst, .step, .last(word_last));
    lutra_count #(.N(TERMS)) term (.clk, .rst, .step(step && word_last), .last);

    generate
        if (TERMS == 1) begin : g_one
            wire unused = &{1'b0, kept};
            assign first = 1'b1;
            assign held  = '0;
        end else begin : g_many
            always_ff @(posedge clk)
                if (rst) first <= 1'b1;
                else if (step && word_last) first <= last;
            if (WORDS == 1) begin : g_register
                always_ff @(posedge clk) if (step) held <= kept;
            end else begin : g_memory
                // The next word's entry is read while this one's is written: never the same, as WORDS >= 2.
                localparam int AW = $clog2(WORDS);
                (* ram_style = "distributed", no_rw_check *) logic [WIDTH-1:0] mem[WORDS];
                logic [AW-1:0] here, next;
                always_ff @(posedge clk) begin
                    if (step) begin
                        mem[here] <= kept;
                        held <= mem[next];
                    end
                    if (rst) begin
                        here <= '0;
                        next <= AW'(1);
                    end else if (step) begin
                        here <= next;
                        next <= (next == AW'(WORDS - 1)) ? '0 : next + 1'b1;
                    end
                end
            end
        end
    endgenerate
endmodule
