//! The guest `hello` counts its lines: what its count says about what the device went through.

use std::cell::Cell;
use std::time::Instant;

use serde_json::Value;

use crate::cli::Cli;

/// The number at the end of a line that `hello` logs.
pub fn counter(line: &str) -> Option<u32> {
    line.split_once(" hello ")?.1.parse().ok()
}

/// Follows the log until the counter is `after` or more, and checks that it only grew.
///
/// # Panics
/// If it does not get there, or is set back.
#[track_caller]
pub fn counts_on(cli: &Cli, device: &str, after: u32) -> u32 {
    counts_until(cli, device, |now| now >= after)
}

/// Follows the log until the counter is what one line a second since `then`, when it was `count`,
/// comes to, less an eighth for a busy machine: a guest that stood still for some time would not
/// catch up.
///
/// # Panics
/// If it does not get there, or is set back.
#[track_caller]
pub fn keeps_up(cli: &Cli, device: &str, count: u32, then: Instant) -> u32 {
    counts_until(cli, device, |now| {
        u64::from(now.saturating_sub(count)) >= then.elapsed().as_secs() * 7 / 8
    })
}

#[track_caller]
fn counts_until(cli: &Cli, device: &str, is_wanted: impl Fn(u32) -> bool) -> u32 {
    let last = Cell::new(None::<u32>);
    let line = cli.log_line(device, |line| {
        let Some(now) = counter(line) else { return false };
        assert!(last.get().is_none_or(|last| now > last), "{line} came after {last:?}");
        last.set(Some(now));
        is_wanted(now)
    });
    counter(&line).unwrap_or_default()
}

/// What a device says of its boots and of the restarts of its only guest.
///
/// # Panics
/// If the device is not there.
#[track_caller]
pub fn boots_and_restarts(cli: &Cli, device: &str) -> (i64, i64) {
    let status = cli.get(&format!("device/{device}"))["status"].clone();
    let number = |value: &Value| value.as_i64().unwrap_or(-1);
    (number(&status["bootCount"]), number(&status["applications"][0]["restarts"]))
}
