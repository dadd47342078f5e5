"""From a quantised neural network to a verified FPGA accelerator."""
