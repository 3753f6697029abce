//! What users and gateways write, and what the controllers make of it.

mod applications;
mod examples;
mod fleet;
mod harness;
mod preparing;
mod schemas;
