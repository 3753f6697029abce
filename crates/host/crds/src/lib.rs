//! Custom resources and their conversion to model types.
