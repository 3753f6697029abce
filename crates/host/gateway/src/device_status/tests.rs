//! Tests of `device_status`.
