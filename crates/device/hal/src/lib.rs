//! Peripheral traits and volatile register cells.
