//! Simulated clock, network, cluster and device.
