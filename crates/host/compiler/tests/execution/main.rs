//! Prepared modules, executed: what they compute, what they cost, and how they end.
mod differential;
mod forms;
mod generator;
mod guest;
mod guests;
mod imports;
mod mutation;
mod programs;
mod refusals;
mod stopping;
