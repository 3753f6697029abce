//! Header, manifest and signed bytes of a device image.
