"""Static checks of HLS C++: what a vendor's compiler would refuse, found without one. Needs libclang."""
