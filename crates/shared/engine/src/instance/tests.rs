//! Loading and running hand-written images.
