// A word of an AXI4-Stream with its side channels, for C simulation where the vendor's header is not there.
#ifndef LUTRA_SIM_AP_AXI_SDATA_H
#define LUTRA_SIM_AP_AXI_SDATA_H

#include <ap_int.h>

template <int D, int U, int TI, int TD>
struct ap_axiu {
  static_assert(U == 0 && TI == 0 && TD == 0, "streams here have no user, id or dest");
  ap_uint<D> data = 0;
  ap_uint<(D + 7) / 8> keep = 0;
  ap_uint<(D + 7) / 8> strb = 0;
  ap_uint<1> last = 0;
};

#endif
