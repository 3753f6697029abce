//! A Gateway's conditions and sums, one situation a row.

use super::*;

const DAY_S: i64 = 24 * 3600;
const NOW_S: i64 = 1000 * DAY_S;

/// Processes, end of pairing; Ready, CertificateValid, Pairing, connected/capacity, revisit.
type Row<'a> = (&'a [Replica], Option<i64>, &'static str, Option<i64>);

#[test]
fn adds_up_living_processes() {
    let replica = Replica {
        alive: true,
        connected: 2,
        capacity: 10,
        certificate_not_after_s: Some(NOW_S + 300 * DAY_S),
    };
    let dead = Replica { alive: false, ..replica };
    let ending = |seconds| Replica { certificate_not_after_s: Some(NOW_S + seconds), ..replica };
    let cases: [Row<'_>; 8] = [
        (&[], None, "False/NoReplica Unknown/CertificateUnknown False/WindowClosed 0/0", None),
        (
            &[replica],
            None,
            "True/Serving True/AsExpected False/WindowClosed 2/10",
            Some(270 * DAY_S),
        ),
        (
            &[replica, replica, dead],
            None,
            "True/Serving True/AsExpected False/WindowClosed 4/20",
            Some(270 * DAY_S),
        ),
        (&[dead], None, "False/NoReplica Unknown/CertificateUnknown False/WindowClosed 0/0", None),
        (&[replica], Some(5), "True/Serving True/AsExpected True/WindowOpen 2/10", Some(5)),
        (
            &[replica],
            Some(0),
            "True/Serving True/AsExpected False/WindowClosed 2/10",
            Some(270 * DAY_S),
        ),
        (
            &[replica, ending(29 * DAY_S)],
            None,
            "True/Serving True/CertificateExpiring False/WindowClosed 4/20",
            Some(29 * DAY_S),
        ),
        (
            &[ending(0)],
            None,
            "False/CertificateExpired False/CertificateExpired False/WindowClosed 2/10",
            None,
        ),
    ];
    for (replicas, pairing, expected, revisit) in cases {
        let pairing_until_s = pairing.map(|seconds| NOW_S + seconds);
        let observed = Observed { replicas: replicas.to_vec(), pairing_until_s };
        let status = observe(&observed, NOW_S);
        let words: Vec<_> = status
            .conditions
            .iter()
            .map(|o| format!("{}/{}", o.verdict.text(), o.reason))
            .collect();
        let text = format!("{} {}/{}", words.join(" "), status.connected, status.capacity);
        assert_eq!(text, expected, "{observed:?}");
        assert_eq!(status.revisit_s.map(|s| s as i64), revisit, "{observed:?}");
    }
    println!("\ncases: {}", 2 * cases.len());
}
