//! Kubernetes API for one machine. Knows no wasmbed kind.
