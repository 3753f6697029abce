//! Processes that are ended, and those that must not be.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use super::*;
use crate::scratch::Scratch;

fn sleeper() -> Child {
    Command::new("sleep").arg("1000").spawn().unwrap()
}

#[test]
fn a_recorded_process_is_ended_and_forgotten() {
    let scratch = Scratch::new();
    let mut child = sleeper();
    record(scratch.path(), child.id()).unwrap();
    reap(scratch.path()).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(!scratch.path().join(PID_FILE).exists());
}

#[test]
fn another_process_with_the_same_number_is_left_alone() {
    let scratch = Scratch::new();
    let mut child = sleeper();
    let start_ticks = start_ticks(child.id()).unwrap() - 1;
    let identity = Identity { pid: child.id(), start_ticks };
    let text = serde_json::to_vec(&identity).unwrap();
    fs::write(scratch.path().join(PID_FILE), text).unwrap();
    reap(scratch.path()).unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_damaged_or_missing_record_ends_nothing() {
    let scratch = Scratch::new();
    let texts =
        ["", "1", "{\"pid\":0,\"start_ticks\":0}", "{\"pid\":4294967295,\"start_ticks\":1}"];
    for text in texts {
        fs::write(scratch.path().join(PID_FILE), text).unwrap();
        reap(scratch.path()).unwrap();
    }
    reap(scratch.path()).unwrap();
    println!("\ncases: {}\n", texts.len() + 1);
}
