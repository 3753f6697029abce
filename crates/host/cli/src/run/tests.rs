//! What a run shows, and what a shell gets.
use super::*;

fn ending(state: GuestState, reason: GuestReason, exit_code: Option<i32>) -> Ending {
    Ending {
        name: "blinky".to_owned(),
        state,
        reason,
        exit_code,
        place: None,
        sizes: None,
        ram_bytes: Some(1504),
        fuel: 215,
        host_calls: 9,
    }
}

#[test]
fn a_shell_gets_what_the_guest_ended_with() {
    let check = |state, reason, code, expected| {
        assert_eq!(exit_code(&ending(state, reason, code)), expected, "{state:?} {reason:?}");
    };
    check(GuestState::Finished, GuestReason::None, None, 0);
    check(GuestState::Finished, GuestReason::None, Some(0), 0);
    check(GuestState::Failed, GuestReason::ExitedWithError, Some(3), 3);
    // A code of 256 would look like success.
    check(GuestState::Failed, GuestReason::ExitedWithError, Some(256), 1);
    check(GuestState::Failed, GuestReason::TrapUnreachable, None, TRAPPED);
    check(GuestState::Failed, GuestReason::TrapFuelExhausted, None, TRAPPED);
    check(GuestState::Stopped, GuestReason::None, None, 0);
    check(GuestState::Refused, GuestReason::ArenaTooSmall, None, FAILED);
}

#[test]
fn what_guests_do_is_one_line_each() {
    let one = ["blinky".to_owned()];
    let two = ["chat-a".to_owned(), "chat-b".to_owned()];
    let log = Event::Log { guest: 0, text: "on".to_owned() };
    assert_eq!(line(&one, &log), "on");
    assert_eq!(line(&two, &log), "chat-a: on");
    let sent = Event::Message { guest: 1, topic: "a".to_owned(), payload: b"\xff\n".to_vec() };
    assert_eq!(line(&two, &sent), "chat-b: [message a \"\u{fffd}\\n\"]");
    let value = Event::Telemetry { guest: 0, topic: "room".to_owned(), value: -3 };
    assert_eq!(line(&one, &value), "[telemetry room -3]");
    assert_eq!(line(&one, &Event::Led { index: 2, is_on: false }), "[led 2 off]");
}

#[test]
fn the_last_line_says_where_and_how_much() {
    let mut trapped = ending(GuestState::Failed, GuestReason::TrapUnreachable, None);
    trapped.place = Some("in function 6 (pick), at 0x1dd in the module".to_owned());
    assert_eq!(
        end_line(&trapped),
        "blinky: Failed, TrapUnreachable, in function 6 (pick), at 0x1dd in the module, \
         1504 bytes of RAM, 215 operators, 9 calls"
    );
}
