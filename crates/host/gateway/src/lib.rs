//! TLS endpoint of the devices.
