//! Resets as devices tell them, and what the status makes of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use wasmbed_wire::{Budget, Digest, FaultRecord, ResetReason};

use super::{complaint, render};
use crate::session::HelloFacts;

fn hello(reason: ResetReason, fault: Option<FaultRecord>) -> HelloFacts {
    HelloFacts {
        board: "mps2-an385".to_owned(),
        firmware: "0.1.0".to_owned(),
        dtb_digest: Digest([0; 32]),
        minor_max: 1,
        budget: Budget { arena_bytes: 1, slot_bytes: 1, slots: 1, guests: 1 },
        boot_count: 1,
        reset_reason: reason,
        fault,
        image_format: 1,
        last_epoch: 0,
        host_calls: None,
    }
}

fn fault(pc: u32, cfsr: u32, hfsr: Option<u32>) -> Option<FaultRecord> {
    Some(FaultRecord { pc, lr: 0x200, cfsr, address: 0x2000_0000, hfsr })
}

#[track_caller]
fn check(reason: ResetReason, fault: Option<FaultRecord>, expected: &str) {
    let time = Time(Timestamp::from_second(7).expect("a time"));
    let reset = render(&hello(reason, fault), time.clone());
    assert_eq!((reset.reason.as_str(), reset.time.as_ref()), (reason.name(), Some(&time)));
    assert_eq!(complaint(&reset, reason).unwrap_or_default(), expected);
}

#[test]
fn what_stopped_a_firmware_is_said_with_what_is_known_and_nothing_else() {
    use ResetReason as R;
    check(R::PowerOn, None, "");
    check(R::Commanded, None, "");
    check(
        R::Panic,
        fault(0, 0, Some(0)),
        "the firmware panicked, at line 512 of a source file; the console has its name",
    );
    check(
        R::Watchdog,
        fault(0x100, 0, Some(0)),
        "the loop of the firmware was stuck, kind Stuck, pc 0x00000100, lr 0x00000200",
    );
    check(
        R::HardFault,
        fault(0x2000_0000, 0x01, Some(0x4000_0000)),
        "the firmware caused a processor fault, kind ExecutionRefused, pc 0x20000000, lr 0x00000200",
    );
    check(
        R::HardFault,
        fault(0x100, 0x82, None),
        "the firmware caused a processor fault, kind AccessRefused, pc 0x00000100, lr 0x00000200, \
         address 0x20000000",
    );
    check(
        R::StackOverflow,
        fault(0, 0x92, Some(0x4000_0000)),
        "a stack of the firmware was too small, kind AccessRefused, lr 0x00000200, \
         address 0x20000000",
    );
    check(
        R::HardFault,
        fault(0x100, 0, Some(2)),
        "the firmware caused a processor fault, kind VectorTable, pc 0x00000100, lr 0x00000200",
    );
    check(
        R::Other(99),
        None,
        "the firmware stopped for a reason that this gateway has no name for",
    );
}
