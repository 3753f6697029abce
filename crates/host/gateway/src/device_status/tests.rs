//! From what a session said to the status of a Device.

use k8s_openapi::jiff::Timestamp;
use wasmbed_crds::condition;
use wasmbed_crds::device::{DeviceApplication, DeviceStatus};
use wasmbed_model::condition::kinds;
use wasmbed_wire::{AppId, Budget, Digest, FaultRecord, GuestReason, GuestState, ResetReason};
use wasmbed_wire::{RefusedReason, StateReport};

use super::{Ended, Facts};
use crate::session::{CloseReason, EndReason, HelloFacts};

fn hello() -> HelloFacts {
    HelloFacts {
        board: "mps2-an385".to_owned(),
        firmware: "0.1.0".to_owned(),
        dtb_digest: Digest([0xab; 32]),
        minor_max: 3,
        budget: Budget { arena_bytes: 1000, slot_bytes: 2000, slots: 3, guests: 2 },
        boot_count: 4,
        reset_reason: ResetReason::HardFault,
        fault: Some(FaultRecord { pc: 0x100, lr: 0x200, cfsr: 2, address: 4, hfsr: Some(1) }),
        image_format: 1,
        last_epoch: 0,
        host_calls: Some(0x8000_0009),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn report(id: u8, state: GuestState, reason: GuestReason) -> StateReport {
    StateReport {
        app: AppId([id; 16]),
        generation: 3,
        image: Some(Digest([id; 32])),
        state,
        reason,
        restarts: 1,
        function: None,
        offset: None,
        needed_bytes: None,
        available_bytes: None,
        exit_code: None,
        memory_bytes: None,
        fuel: None,
        backoff_ms: None,
    }
}

fn running(id: u8) -> StateReport {
    report(id, GuestState::Running, GuestReason::None)
}

fn name_of(app: &AppId) -> Option<String> {
    (app.0[0] < 9).then(|| format!("app-{}", app.0[0]))
}

fn applications(facts: &Facts) -> Vec<DeviceApplication> {
    facts.render("gw-0", &name_of, None, Some(1), at(100)).applications
}

#[test]
fn a_start_keeps_the_time_when_it_was_first_heard_of() {
    let time = |status: &DeviceStatus| {
        let time = status.last_reset.as_ref().and_then(|reset| reset.time.clone());
        time.map(|time| time.0.as_second())
    };
    let facts = Facts::begin(9, hello(), Vec::new());
    let first = facts.render("gw-0", &name_of, None, None, at(100));
    assert_eq!(time(&first), Some(100));
    let again = Facts::begin(10, hello(), Vec::new());
    let again = again.render("gw-1", &name_of, Some(&first), None, at(200));
    assert_eq!(time(&again), Some(100), "another session of the same start");
    let next = HelloFacts { boot_count: 5, ..hello() };
    let next = Facts::begin(11, next, Vec::new());
    let next = next.render("gw-1", &name_of, Some(&again), None, at(300));
    assert_eq!(time(&next), Some(300));
}

/// `NAME STATE REASON SINCE`, one per application.
#[track_caller]
fn check(facts: &Facts, expected: &[&str]) {
    let found: Vec<String> = applications(facts)
        .iter()
        .map(|app| {
            let since = app.last_transition_time.as_ref().map_or(0, |time| time.0.as_second());
            format!("{} {} {} {since}", app.name, app.state, app.reason)
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_session_says_what_the_board_is() {
    let facts = Facts::begin(9, hello(), Vec::new());
    let status = facts.render("gw-0", &name_of, None, Some(5), at(100));
    assert_eq!(status.epoch, Some(9));
    assert_eq!(status.gateway.as_deref(), Some("gw-0"));
    assert_eq!(status.firmware.as_deref(), Some("0.1.0"));
    assert_eq!(status.protocol.as_deref(), Some("1.1"));
    assert_eq!(status.dtb_digest, Some("ab".repeat(32)));
    assert_eq!(status.budget.map(|budget| budget.arena_bytes), Some(1000));
    assert_eq!(status.boot_count, Some(4));
    assert_eq!(
        status.host_interface,
        Some(["log", "telemetry", "wasi"].map(String::from).to_vec())
    );
    let reset = status.last_reset.expect("told by Hello");
    assert_eq!(reset.reason, "HardFault");
    assert_eq!(reset.fault.map(|fault| fault.kind), Some("AccessRefused".to_owned()));
    assert_eq!(status.observed_generation, None, "the device controller's field");
    assert_eq!(status.conditions.len(), 1, "Ready and Enrolled are the device controller's");
    assert!(condition::is_true(&status.conditions, kinds::CONNECTED));
}

#[test]
fn only_a_change_is_a_change() {
    let mut facts = Facts::begin(9, hello(), Vec::new());
    assert!(facts.report(running(1), None, at(10)));
    assert!(!facts.report(running(1), None, at(11)));
    check(&facts, &["app-1 Running AsExpected 10"]);
    let failed = report(1, GuestState::Failed, GuestReason::TrapUnreachable);
    assert!(facts.report(failed, None, at(12)));
    check(&facts, &["app-1 Failed TrapUnreachable 12"]);
    assert!(facts.report(StateReport { restarts: 2, ..failed }, None, at(13)));
    check(&facts, &["app-1 Failed TrapUnreachable 12"]);
    assert!(facts.report(report(1, GuestState::Removed, GuestReason::None), None, at(14)));
    assert!(!facts.report(report(1, GuestState::Removed, GuestReason::None), None, at(15)));
    check(&facts, &[]);
}

#[test]
fn a_failed_update_stays_said_while_the_image_before_it_runs_on() {
    let failed = StateReport {
        generation: 4,
        ..report(1, GuestState::Failed, GuestReason::TrapFuelExhausted)
    };
    for reports in [[running(1), failed], [failed, running(1)]] {
        let mut facts = Facts::begin(9, hello(), Vec::new());
        assert!(facts.report(reports[0], None, at(10)));
        assert!(facts.report(reports[1], None, at(10)));
        check(&facts, &["app-1 Failed TrapFuelExhausted 10"]);
        let message = applications(&facts).remove(0).message;
        assert_eq!(message.as_deref(), Some("generation 3 runs on"));
        assert!(!facts.report(running(1), None, at(11)));
        assert!(facts.report(StateReport { generation: 5, ..running(1) }, None, at(12)));
        check(&facts, &["app-1 Running AsExpected 12"]);
    }
    println!("\ncases: 2");
}

#[test]
fn what_an_older_session_said_stays_until_the_device_has_named_all() {
    let mut old = Facts::begin(8, hello(), Vec::new());
    for id in [1, 2, 3] {
        old.report(running(id), None, at(10));
    }
    let mut facts = Facts::begin(9, hello(), applications(&old));
    check(
        &facts,
        &[
            "app-1 Running AsExpected 10",
            "app-2 Running AsExpected 10",
            "app-3 Running AsExpected 10",
        ],
    );
    facts.report(running(1), None, at(50));
    facts.report(report(2, GuestState::Stopped, GuestReason::None), None, at(50));
    check(
        &facts,
        &[
            "app-1 Running AsExpected 10",
            "app-2 Stopped AsExpected 50",
            "app-3 Running AsExpected 10",
        ],
    );
    assert!(facts.inventory_complete());
    assert!(!facts.inventory_complete());
    check(&facts, &["app-1 Running AsExpected 10", "app-2 Stopped AsExpected 50"]);
}

#[test]
fn what_was_not_sent_is_refused_with_its_numbers_and_gives_way_to_the_device() {
    let withheld = |second| DeviceApplication {
        name: "app-1".to_owned(),
        uid: "01010101-0101-0101-0101-010101010101".to_owned(),
        generation: 4,
        state: "Refused".to_owned(),
        reason: "ArenaTooSmall".to_owned(),
        message: Some("needs 2000 bytes of RAM, 1000 are free on the device".to_owned()),
        last_transition_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(
            second,
        ))),
        ..DeviceApplication::default()
    };
    let mut facts = Facts::begin(9, hello(), Vec::new());
    assert!(facts.withhold(vec![withheld(20)]));
    assert!(!facts.withhold(vec![withheld(30)]));
    check(&facts, &["app-1 Refused ArenaTooSmall 20"]);
    facts.report(running(1), None, at(40));
    check(&facts, &["app-1 Running AsExpected 40"]);
    assert!(facts.withhold(Vec::new()));
}

#[test]
fn an_application_without_an_object_is_named_by_its_uid() {
    let mut facts = Facts::begin(9, hello(), Vec::new());
    facts.report(running(9), None, at(10));
    check(&facts, &["09090909-0909-0909-0909-090909090909 Running AsExpected 10"]);
}

#[test]
fn numbers_of_a_report_become_a_sentence() {
    let base = report(1, GuestState::Failed, GuestReason::TrapMemoryOutOfBounds);
    let cases = [
        (base, None),
        (StateReport { function: Some(7), ..base }, Some("in function 7")),
        (
            StateReport { function: Some(7), offset: Some(12), ..base },
            Some("in function 7 at byte 0xc of the image's code (no source map at hand)"),
        ),
        (StateReport { backoff_ms: Some(4500), ..base }, Some("restart 2 follows after 4.5 s")),
        (
            StateReport { needed_bytes: Some(5), available_bytes: Some(4), ..base },
            Some("needs 5 bytes, 4 are available"),
        ),
        (StateReport { exit_code: Some(-1), ..base }, Some("exited with code -1")),
        (
            StateReport { reason: GuestReason::Other(99), ..base },
            Some("reason number 99, which this gateway has no name for"),
        ),
        (
            StateReport { state: GuestState::Other(99), ..base },
            Some("state number 99, which this gateway has no name for"),
        ),
    ];
    for (report, message) in cases {
        let mut facts = Facts::begin(9, hello(), Vec::new());
        facts.report(report, None, at(1));
        assert_eq!(applications(&facts)[0].message.as_deref(), message, "{report:?}");
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn the_end_of_a_session_says_why() {
    let ended = |reason| Ended::Session(CloseReason::Ended(reason));
    let cases = [
        (Ended::ByPeer, "False SessionClosed"),
        (Ended::SlowPeer, "False SessionClosed"),
        (Ended::Session(CloseReason::HeartbeatTimeout), "False HeartbeatTimeout"),
        (Ended::Session(CloseReason::Malformed), "False SessionClosed"),
        (Ended::Session(CloseReason::UnexpectedMessage), "False SessionClosed"),
        (Ended::Session(CloseReason::HelloTimeout), "False SessionClosed"),
        (Ended::Session(CloseReason::Refused(RefusedReason::Busy)), "False SessionClosed"),
        (ended(EndReason::Revoked), "False Disabled"),
        (ended(EndReason::Deleted), "False SessionClosed"),
        (ended(EndReason::Superseded), "False SessionClosed"),
        (ended(EndReason::ShuttingDown), "Unknown GatewayLost"),
    ];
    for (ended, expected) in cases {
        let mut facts = Facts::begin(9, hello(), Vec::new());
        assert!(facts.close(ended));
        assert!(!facts.close(Ended::ByPeer), "the first reason counts");
        let status = facts.render("gw-0", &name_of, None, None, at(1));
        let connected = condition::find(&status.conditions, kinds::CONNECTED).expect("written");
        assert_eq!(format!("{} {}", connected.status, connected.reason), expected);
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_status_is_bounded_however_many_guests_a_device_names() {
    let mut facts = Facts::begin(9, hello(), Vec::new());
    for id in 0..=255 {
        facts.report(running(id), None, at(1));
    }
    assert_eq!(applications(&facts).len(), wasmbed_crds::limits::DEVICE_APPLICATIONS_MAX);
}

#[test]
fn a_trap_is_placed_in_the_module_and_stays_said_after_the_next_start() {
    let mut facts = Facts::begin(9, hello(), Vec::new());
    let trapped = StateReport {
        function: Some(7),
        offset: Some(12),
        fuel: Some(1_000),
        memory_bytes: Some(4096),
        backoff_ms: Some(2_000),
        ..report(1, GuestState::Failed, GuestReason::TrapDivideByZero)
    };
    assert!(facts.report(trapped, Some(0x1a3), at(10)));
    let app = applications(&facts).remove(0);
    let sentence = "in function 7 at byte 0x1a3 of the module; restart 2 follows after 2 s";
    assert_eq!(app.message.as_deref(), Some(sentence));
    assert_eq!((app.fuel, app.memory_bytes), (Some(1_000), Some(4096)));
    assert_eq!(app.next_start_time.map(|time| time.0), Some(at(12)));
    let trap = app.last_trap.expect("told");
    assert_eq!((trap.reason.as_str(), trap.generation), ("TrapDivideByZero", 3));
    assert_eq!(
        (trap.function, trap.module_offset, trap.image_offset),
        (Some(7), Some(0x1a3), Some(12))
    );
    assert_eq!(trap.time.as_ref().map(|time| time.0), Some(at(10)));

    let again = StateReport { fuel: Some(9), restarts: 2, ..running(1) };
    assert!(facts.report(again, None, at(12)));
    let app = applications(&facts).remove(0);
    assert_eq!((app.message, app.next_start_time, app.fuel), (None, None, Some(9)));
    assert_eq!(app.last_trap.as_ref(), Some(&trap));
    assert!(
        !facts.report(StateReport { fuel: Some(10), ..again }, None, at(13)),
        "counters are live"
    );

    let mut next = Facts::begin(10, hello(), applications(&facts));
    next.report(again, None, at(20));
    assert_eq!(applications(&next)[0].last_trap, Some(trap));
    let exit = report(2, GuestState::Failed, GuestReason::ExitedWithError);
    next.report(exit, None, at(21));
    assert_eq!(applications(&next)[1].last_trap, None, "an exit is no trap");
    println!("\ncases: 5\n");
}
