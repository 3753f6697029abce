//! Why a device started last, as its status says it. Pure; which start it was is the caller's
//! business.
//!
//! # Source
//! Arm DDI 0403E, ARMv7-M Architecture Reference Manual, sections B3.2.15 "Configurable Fault Status
//! Register" and B3.2.16 "HardFault Status register"; Arm DDI 0553B, Armv8-M Architecture Reference
//! Manual, section D1.2 "UFSR", for STKOF.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use wasmbed_crds::device::{LastFault, LastReset};
use wasmbed_wire::{FaultRecord, ResetReason};

use crate::session::HelloFacts;

#[cfg(test)]
mod tests;

/// Bits of the fault status, the most telling first, and what each means.
const KINDS: [(u32, &str); 16] = [
    (1 << 20, "StackOverflow"),
    (1 << 0, "ExecutionRefused"),
    (1 << 1, "AccessRefused"),
    (1 << 9, "BusError"),
    (1 << 10, "LateBusError"),
    (1 << 8, "FetchError"),
    (1 << 16, "UndefinedInstruction"),
    (1 << 17, "InvalidState"),
    (1 << 18, "InvalidReturn"),
    (1 << 19, "NoCoprocessor"),
    (1 << 24, "Unaligned"),
    (1 << 25, "DivideByZero"),
    (1 << 4, "StackRefused"),
    (1 << 12, "StackBusError"),
    (1 << 3, "UnstackRefused"),
    (1 << 11, "UnstackBusError"),
];

/// The status holds the address of the access: one that was refused, or one that the bus failed.
const HAS_ADDRESS: u32 = 1 << 7 | 1 << 15;

/// A vector could not be read.
const VECTOR_TABLE: u32 = 1 << 1;

/// What the status says about the start that `hello` tells of. `time` is when it was first heard of.
pub(crate) fn render(hello: &HelloFacts, time: Time) -> LastReset {
    let reason = hello.reset_reason;
    let fault = hello.fault.filter(|_| reason != ResetReason::Panic);
    let line = hello.fault.filter(|_| reason == ResetReason::Panic).map(|fault| fault.lr);
    LastReset {
        reason: reason.name().to_owned(),
        detail: line.map(|line| format!("line {line} of a source file; the console has its name")),
        time: Some(time),
        fault: fault.map(|fault| render_fault(reason, fault)),
    }
}

fn render_fault(reason: ResetReason, fault: FaultRecord) -> LastFault {
    let word = |word: u32| format!("{word:#010x}");
    let known = |value: u32| (value != 0).then(|| word(value));
    let has_address = fault.cfsr & HAS_ADDRESS != 0;
    LastFault {
        kind: kind(reason, fault).to_owned(),
        pc: known(fault.pc),
        lr: known(fault.lr),
        cfsr: word(fault.cfsr),
        hfsr: fault.hfsr.map(word),
        address: has_address.then(|| word(fault.address)),
    }
}

/// What happened, in one word.
fn kind(reason: ResetReason, fault: FaultRecord) -> &'static str {
    if reason == ResetReason::Watchdog {
        return "Stuck";
    }
    let found = KINDS.iter().find(|(bit, _)| fault.cfsr & bit != 0);
    match found {
        Some((_, kind)) => kind,
        None if fault.hfsr.unwrap_or(0) & VECTOR_TABLE != 0 => "VectorTable",
        None => "Unknown",
    }
}

/// What an Event says about the start, if it was one that nobody wanted.
pub(crate) fn complaint(reset: &LastReset, reason: ResetReason) -> Option<String> {
    let what = match reason {
        ResetReason::PowerOn | ResetReason::Commanded => return None,
        ResetReason::Panic => "the firmware panicked",
        ResetReason::HardFault => "the firmware caused a processor fault",
        ResetReason::Watchdog => "the loop of the firmware was stuck",
        ResetReason::StackOverflow => "a stack of the firmware was too small",
        ResetReason::Other(_) => {
            "the firmware stopped for a reason that this gateway has no name for"
        }
    };
    let mut text = what.to_owned();
    let mut add = |name: &str, value: &str| text += &format!(", {name} {value}");
    if let Some(detail) = &reset.detail {
        add("at", detail);
    }
    if let Some(fault) = &reset.fault {
        add("kind", &fault.kind);
        let values = [("pc", &fault.pc), ("lr", &fault.lr), ("address", &fault.address)];
        for (name, value) in values {
            if let Some(value) = value {
                add(name, value);
            }
        }
    }
    Some(text)
}
