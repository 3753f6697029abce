//! Prepared modules, executed: what they compute, what they cost, and how they end.
mod guest;
mod spec;
