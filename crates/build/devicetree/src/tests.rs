//! Tests of the whole way from source to facts.
