//! Framing for serial lines.
