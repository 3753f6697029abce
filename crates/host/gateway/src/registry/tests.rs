//! Which session of a device stands, and what is remembered of those that are gone.

use std::sync::Arc;

use wasmbed_wire::AppId;

use super::{LiveDevice, Registry, SessionHandle, lock};
use crate::limits::{self, Limits};
use crate::mailbox::{Mailbox, Wish};
use crate::session::{EndReason, LogFacts};

fn handle(epoch: u64) -> SessionHandle {
    SessionHandle { epoch, minor: 0, mailbox: Arc::new(Mailbox::default()) }
}

fn push(device: &LiveDevice, boot_count: u32, device_sequence: u32) {
    let line = LogFacts { app: AppId([1; 16]), device_sequence, uptime_ms: 0, text: "x".into() };
    device.push_log(0, boot_count, line);
}

#[test]
fn the_highest_epoch_stands_whatever_the_order() {
    let registry = Registry::new(Limits::default());
    let device = registry.enter("d-1");
    let (first, second) = (handle(1), handle(2));
    assert!(registry.attach(&device, first.clone()));
    assert!(registry.attach(&device, second));
    assert!(matches!(first.mailbox.take(), Some(Wish::End(EndReason::Superseded))));
    assert!(!registry.attach(&device, handle(2)), "the same epoch twice");
    assert!(!registry.attach(&device, handle(1)), "an older one later");
    assert_eq!(registry.session_count(), 1);
    assert!(!registry.detach(&device, 1), "the superseded session ends later");
    assert!(registry.detach(&device, 2));
    assert!(!registry.detach(&device, 2));
    assert_eq!(registry.session_count(), 0);
}

#[test]
fn departed_devices_are_remembered_up_to_a_bound() {
    let registry = Registry::new(Limits::default());
    let standing = registry.enter("d-standing");
    assert!(registry.attach(&standing, handle(1)));
    for round in 0..3 {
        for index in 0..limits::DEPARTED_DEVICES_MAX {
            let device = registry.enter(&format!("d-{index}"));
            assert!(registry.attach(&device, handle(round + 1)));
            assert!(registry.detach(&device, round + 1));
        }
    }
    assert!(registry.all().len() <= limits::DEPARTED_DEVICES_MAX + 1);
    for index in 0..2 * limits::DEPARTED_DEVICES_MAX {
        let device = registry.enter(&format!("e-{index}"));
        assert!(registry.attach(&device, handle(1)));
        assert!(registry.detach(&device, 1));
    }
    assert!(registry.all().len() <= limits::DEPARTED_DEVICES_MAX + 1);
    assert!(registry.find("d-standing").is_some(), "a session keeps its device");
}

#[test]
fn a_deleted_device_is_forgotten_or_ended() {
    let registry = Registry::new(Limits::default());
    let device = registry.enter("d-1");
    let session = handle(1);
    assert!(registry.attach(&device, session.clone()));
    registry.forget("d-1");
    assert!(matches!(session.mailbox.take(), Some(Wish::End(EndReason::Deleted))));
    assert!(registry.detach(&device, 1));
    registry.forget("d-1");
    assert!(registry.find("d-1").is_none());
    registry.forget("d-1");
}

#[test]
fn gaps_in_the_devices_numbers_are_losses_within_one_boot() {
    let registry = Registry::new(Limits::default());
    let device = registry.enter("d-1");
    for (boot_count, device_sequence) in [(1, 5), (1, 6), (1, 9), (2, 4), (2, 5), (2, 5)] {
        push(&device, boot_count, device_sequence);
    }
    let page = lock(&device.log).read(1, 100);
    let lost: Vec<u32> = page.entries.iter().map(|(_, entry)| entry.lost_before).collect();
    assert_eq!(lost, [0, 0, 2, 0, 0, 0]);
    assert_eq!(*device.log_next.borrow(), 7);
}
