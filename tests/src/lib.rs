//! Whole-system tests: several roles, emulated boards.
