//! What the conditions say about each state of a board.

use std::time::Duration;

use super::*;

const NOW: i64 = 1_800_000_000;

fn board(phase: Phase) -> BoardStatus {
    BoardStatus {
        phase,
        pid: (phase == Phase::Running).then_some(42),
        restarts: 3,
        resets: 0,
        crash: None,
        restart_delay: None,
    }
}

fn crashed(exit: Option<Exit>, message: &str) -> BoardStatus {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    let crash = Some(Crash { exit, message: Some(message.into()), time });
    BoardStatus { crash, restart_delay: Some(Duration::from_millis(500)), ..board(Phase::Waiting) }
}

fn observe(outcome: Outcome, device: Option<&str>) -> VirtualDeviceStatus {
    let observed = Observed {
        outcome,
        board: Some("mps2-an385"),
        device,
        console_log: Some(Path::new("/d/console.log")),
        reset_at: None,
        line: None,
    };
    let now = Timestamp::from_second(NOW).unwrap();
    status(&VirtualDeviceStatus::default(), Some(7), &observed, now)
}

#[track_caller]
fn check(outcome: Outcome, device: Option<&str>, expected: [&str; 3]) {
    let status = observe(outcome, device);
    let told = status.conditions.iter().map(|told| {
        assert_eq!(told.observed_generation, Some(7));
        format!("{}={} {}", told.type_, told.status, told.reason)
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn conditions_say_what_holds_and_why_not() {
    let running = || Outcome::Board(Box::new(board(Phase::Running)));
    let powered = "Powered=True EmulatorRunning";
    let enrolled = "Enrolled=True KeyKnown";
    let enrolling = "Enrolled=False Enrolling";
    check(running(), Some("d-1"), [powered, enrolled, "Ready=True AsExpected"]);
    check(running(), None, [powered, enrolling, "Ready=False Enrolling"]);
    let off = "Powered=False PoweredOff";
    check(Outcome::Off, Some("d-1"), [off, enrolled, "Ready=False PoweredOff"]);
    let refused = || Outcome::Refused { reason: reasons::BOARD_UNKNOWN, message: "no".into() };
    let unknown = "Powered=False BoardUnknown";
    check(refused(), None, [unknown, enrolling, "Ready=False BoardUnknown"]);
    let crash = Outcome::Board(Box::new(crashed(Some(Exit::Signal(6)), "Lockup")));
    check(crash, None, ["Powered=False Crashed", enrolling, "Ready=False Crashed"]);
    let starting = Outcome::Board(Box::new(board(Phase::Starting)));
    check(starting, None, ["Powered=False Pending", enrolling, "Ready=False Pending"]);
    let alone = "Powered=Unknown ManagerStopped";
    check(Outcome::Unattended, Some("d-1"), [alone, enrolled, "Ready=Unknown ManagerStopped"]);
    println!("\ncases: 7\n");
}

#[test]
fn a_crash_is_told_with_its_reason_and_outlives_the_restart() {
    let long = "x".repeat(5000);
    let cases = [
        (Some(Exit::Signal(6)), "Killed", "qemu ended with signal 6: "),
        (Some(Exit::Code(1)), "Exited", "qemu ended with exit code 1: "),
        (None, "NotStarted", "qemu did not start: "),
    ];
    for (exit, reason, message) in cases {
        let status = observe(Outcome::Board(Box::new(crashed(exit, &long))), None);
        let crash = status.crash.as_ref().unwrap();
        assert_eq!(status.board.as_deref(), Some("mps2-an385"));
        assert_eq!(crash.reason, reason);
        assert_eq!(crash.time, Some(Time(Timestamp::from_second(5).unwrap())));
        let told = crash.message.as_ref().unwrap();
        assert!(told.starts_with(message) && told.len() == MESSAGE_CHARS_MAX);
        let outcome = Outcome::Board(Box::new(board(Phase::Running)));
        let observed = Observed {
            outcome,
            board: None,
            device: None,
            console_log: None,
            reset_at: None,
            line: None,
        };
        let now = Timestamp::from_second(NOW + 1).unwrap();
        let later = super::status(&status, Some(7), &observed, now);
        assert_eq!((later.crash, later.pid, later.restarts), (status.crash, Some(42), 3));
    }
    println!("\ncases: 3\n");
}

#[test]
fn what_does_not_change_keeps_its_time() {
    let outcome = || Outcome::Board(Box::new(board(Phase::Running)));
    let before = observe(outcome(), None);
    let observed = Observed {
        outcome: outcome(),
        board: None,
        device: Some("d-1"),
        console_log: None,
        reset_at: None,
        line: None,
    };
    let now = Timestamp::from_second(NOW + 9).unwrap();
    let after = status(&before, Some(8), &observed, now);
    let since = |kind: &str| {
        condition::find(&after.conditions, kind).unwrap().last_transition_time.0.as_second() - NOW
    };
    assert_eq!([kinds::POWERED, kinds::ENROLLED, kinds::READY].map(since), [0, 9, 9]);
}

#[test]
fn counters_are_told_once_a_generation() {
    let line = |lost| Some(LineCounters { lost, ..LineCounters::default() });
    let told = |before: &VirtualDeviceStatus, generation, line| {
        let outcome = Outcome::Board(Box::new(board(Phase::Running)));
        let (board, device, console_log, reset_at) = (None, None, None, None);
        let observed = Observed { outcome, board, device, console_log, reset_at, line };
        status(before, Some(generation), &observed, Timestamp::from_second(NOW).unwrap())
    };
    let first = told(&VirtualDeviceStatus::default(), 1, line(3));
    assert_eq!(first.line, line(3));
    let same = told(&first, 1, line(5));
    assert_eq!(same, first, "nothing to write");
    let next = told(&same, 2, line(7));
    assert_eq!(next.line, line(7));
    assert_eq!(told(&next, 3, None).line, line(7), "it is off, and its line with it");
    println!("\ncases: 4\n");
}
