//! A Device's conditions, one situation a row.

use super::*;

/// `Enrolled Connected Ready`, `-` where the controller is silent.
fn summary(conditions: &Conditions) -> String {
    let one = |o: &Observation| format!("{}/{}", o.verdict.text(), o.reason);
    let connected = conditions.connected.as_ref().map_or("-".to_owned(), one);
    format!("{} {connected} {}", one(&conditions.enrolled), one(&conditions.ready))
}

#[test]
fn says_what_is_known_about_a_device() {
    use Verdict::{False, True, Unknown};
    let device = Observed {
        name: "d-a",
        key_name: Some("d-a"),
        enabled: true,
        had_session: true,
        connected: Some(Standing { verdict: True, reason: "SessionOpen", message: "" }),
        gateway: Some("gw-1"),
        gateway_alive: true,
    };
    let standing = |verdict, reason| Some(Standing { verdict, reason, message: "m" });
    let cases = [
        (device.clone(), "True/KeyKnown - True/SessionOpen"),
        (
            Observed { connected: None, had_session: false, ..device.clone() },
            "True/KeyKnown False/NeverConnected False/NeverConnected",
        ),
        (
            Observed { connected: standing(False, "NeverConnected"), ..device.clone() },
            "True/KeyKnown False/NeverConnected False/NeverConnected",
        ),
        (
            Observed { gateway_alive: false, ..device.clone() },
            "True/KeyKnown Unknown/GatewayLost Unknown/GatewayLost",
        ),
        // The Lease came back, but nobody has said that the session did.
        (
            Observed { connected: standing(Unknown, "GatewayLost"), ..device.clone() },
            "True/KeyKnown Unknown/GatewayLost Unknown/GatewayLost",
        ),
        (
            Observed { connected: standing(False, "HeartbeatTimeout"), ..device.clone() },
            "True/KeyKnown - False/HeartbeatTimeout",
        ),
        // A dead gateway says nothing about a session that had ended before.
        (
            Observed {
                connected: standing(False, "SessionClosed"),
                gateway_alive: false,
                ..device.clone()
            },
            "True/KeyKnown - False/SessionClosed",
        ),
        (
            Observed { connected: standing(Unknown, "GatewayStopped"), ..device.clone() },
            "True/KeyKnown - Unknown/GatewayStopped",
        ),
        (
            Observed { connected: standing(False, "SomethingNew"), ..device.clone() },
            "True/KeyKnown - False/SessionClosed",
        ),
        (Observed { enabled: false, ..device.clone() }, "False/Disabled - False/Disabled"),
        (
            Observed { enabled: false, had_session: false, connected: None, ..device.clone() },
            "False/PendingApproval False/NeverConnected False/PendingApproval",
        ),
        (
            Observed { key_name: Some("d-b"), ..device.clone() },
            "False/NameMismatch - False/NameMismatch",
        ),
        (Observed { key_name: None, ..device.clone() }, "False/NameMismatch - False/NameMismatch"),
    ];
    for (observed, expected) in &cases {
        assert_eq!(summary(&observe(observed)), *expected, "{observed:?}");
    }
    println!("\ncases: {}", cases.len());
}
