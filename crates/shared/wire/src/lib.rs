//! Messages between a device and its gateway.
