//! Keys and certificates: issue, rotate, verify.
