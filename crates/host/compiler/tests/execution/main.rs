//! Prepared modules, executed: what they compute, what they cost, and how they end.
mod differential;
mod guest;
mod mutation;
mod programs;
mod spec;
mod stopping;
