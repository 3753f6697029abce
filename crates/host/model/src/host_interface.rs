//! What firmware offers to guests, as bits in Hello and as names in resources: capabilities, and `wasi`.

use wasmbed_abi::Capability;
use wasmbed_wire::HOST_WASI;

#[cfg(test)]
mod tests;

/// Name of WASI preview 1 beside those of the capabilities.
pub const WASI: &str = "wasi";

/// Names of the bits that this version knows.
pub fn names(bits: u32) -> Vec<&'static str> {
    let is_set = |capability: &Capability| bits & capability.bit() != 0;
    let capabilities = Capability::ALL.into_iter().filter(is_set).map(Capability::name);
    capabilities.chain((bits & HOST_WASI != 0).then_some(WASI)).collect()
}

/// The bit with this name; nothing if this version does not know it.
pub fn bit(name: &str) -> Option<u32> {
    if name == WASI {
        return Some(HOST_WASI);
    }
    Capability::by_name(name).map(Capability::bit)
}
