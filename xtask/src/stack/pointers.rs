//! What calls through pointers may reach, where the value of the pointer cannot be followed.

use std::collections::BTreeSet;

use super::program::Program;

/// Functions that one function may reach through pointers.
struct Pointer {
    /// The caller's name.
    caller: &'static str,
    /// Beginning and end of the names of what may be called. None if the pointer is never set.
    targets: Option<(&'static str, &'static str)>,
}

/// Every caller whose pointers are no constants of its own code, with why they reach nothing else.
const POINTERS: [Pointer; 4] = [
    // Takes a closure that looks at the argument of a grant, from the functions of guests.
    Pointer {
        caller: "wasmbed_runtime::host::GuestHost<P>::permit",
        targets: Some(("wasmbed_runtime::host::", "{{closure}}")),
    },
    // Reads the counter of the board, where the board file names one.
    Pointer {
        caller: "wasmbed_hal::systick::SysTick::cycles",
        targets: Some(("wasmbed_firmware::clock::COUNTER_READ::", "{{closure}}")),
    },
    // Generators of TCP timestamps: the firmware sets none.
    Pointer { caller: "smoltcp::iface::interface::Interface::poll", targets: None },
    Pointer { caller: "smoltcp::socket::tcp::Socket::ack_reply", targets: None },
];

/// Tables of handlers of the engine's core, with the number of their entries.
const TABLES: [&str; 3] = ["wasmbed_engine_plain", "wasmbed_engine_metered", "wasmbed_engine_stop"];

/// What a function may call through pointers that are not constants. None if nobody said.
pub fn targets(program: &Program, caller: &str) -> Option<BTreeSet<u32>> {
    let row = POINTERS.iter().find(|row| caller == row.caller)?;
    let Some((begin, end)) = row.targets else { return Some(BTreeSet::new()) };
    let is_meant = |name: &str| name.starts_with(begin) && name.ends_with(end);
    Some(program.functions(is_meant).into_iter().collect())
}

/// Whether an instruction belongs to the engine's core, whose indexed jumps are dispatches.
pub fn is_core(program: &Program, at: u32) -> bool {
    let bound = |name| program.symbol(name).map(|address| address & !1);
    match (bound("wasmbed_engine_core_begin"), bound("wasmbed_engine_core_end")) {
        (Ok(begin), Ok(end)) => (begin..end).contains(&at),
        _ => false,
    }
}

/// Every handler that a dispatch of the engine's core may lead to.
pub fn handlers(program: &Program) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for name in TABLES {
        let Ok(table) = program.symbol(name) else { continue };
        found.extend((0..256).filter_map(|entry| program.word(table + 4 * entry)));
    }
    // The second page has no more entries than rows, and ends at the first word that is no handler.
    if let Ok(table) = program.symbol("wasmbed_engine_cold") {
        let rows = (0..256).map_while(|entry| program.word(table + 4 * entry));
        found.extend(rows.take_while(|word| word & 1 == 1 && is_core(program, word & !1)));
    }
    found.into_iter().map(|word| word & !1).collect()
}
