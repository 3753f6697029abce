//! Structured logs on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Text for people, JSON for machines; `WASMBED_LOG` filters, as in `info,wasmbed_gateway=debug`.
pub fn start() {
    let filter = EnvFilter::try_from_env("WASMBED_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,kube=warn,hyper=warn,tower=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber can only come from a test that started one; it then stays.
    if std::io::stderr().is_terminal() {
        let _ = builder.with_target(false).try_init();
    } else {
        let _ = builder.json().try_init();
    }
}
