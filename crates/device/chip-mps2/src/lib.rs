//! Drivers of the Arm MPS2 FPGA images.
