#ifndef KERNEL_HPP
#define KERNEL_HPP

#include "lutra_hls.hpp"

const int VECTORS = 3;  // of a call

void dense(hls::stream<ap_uint<16> > &in, hls::stream<ap_uint<22> > &out);

#endif
