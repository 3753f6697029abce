//! The one device binary.

fn main() {}
