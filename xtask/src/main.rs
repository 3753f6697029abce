//! Set-up, build, check, generate, demo, test.

fn main() {}
