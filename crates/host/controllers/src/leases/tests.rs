//! When a Lease counts, and how long a missing one is waited for.

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;

use super::*;

const NOW_S: i64 = 1_000_000;

fn lease(name: &str, renewed_s: Option<i64>, lasts_s: Option<i32>) -> Lease {
    let time = |seconds| MicroTime(Timestamp::from_second(seconds).unwrap());
    let mut lease = Lease::default();
    lease.metadata.name = Some(name.to_owned());
    lease.metadata.namespace = Some("default".to_owned());
    lease.spec = Some(LeaseSpec {
        renew_time: renewed_s.map(time),
        lease_duration_seconds: lasts_s,
        ..LeaseSpec::default()
    });
    lease
}

#[test]
fn a_lease_counts_until_it_was_not_renewed_in_time() {
    let now = Timestamp::from_second(NOW_S).unwrap();
    let cases = [
        (Some(NOW_S), Some(30), Some(30)),
        (Some(NOW_S - 29), Some(30), Some(1)),
        (Some(NOW_S - 30), Some(30), None),
        (Some(NOW_S - 3000), Some(30), None),
        (Some(NOW_S + 5), Some(30), Some(30)),
        (Some(NOW_S), Some(-1), None),
        (Some(NOW_S), None, None),
        (None, Some(30), None),
    ];
    for (renewed_s, lasts_s, left_s) in cases {
        let left = time_left(&lease("g", renewed_s, lasts_s), now);
        assert_eq!(left.map(|left| left.as_secs()), left_s, "{renewed_s:?} {lasts_s:?}");
    }
    println!("\ncases: {}", cases.len());
}

#[test]
fn a_process_without_a_lease_is_given_time_to_get_one() {
    use std::sync::atomic::{AtomicI64, Ordering};
    static CLOCK: AtomicI64 = AtomicI64::new(NOW_S);
    let mut writer = Writer::<Lease>::default();
    let clock = || Timestamp::from_second(CLOCK.load(Ordering::SeqCst)).unwrap();
    let leases = Leases::new(writer.as_reader(), clock);
    let grace = limits::LEASE_GRACE.as_secs() as i64;
    let unsure = |seconds: i64| Presence::Unsure(Duration::from_secs(seconds as u64));
    // Seconds from the start, the Lease that is there then, what is known.
    let steps: [(i64, Option<i64>, Presence); 7] = [
        (0, None, unsure(grace)),
        (1, None, unsure(grace - 1)),
        (grace, None, Presence::Dead),
        (grace + 1, Some(grace + 1), Presence::Alive),
        (grace + 31, Some(grace + 1), Presence::Dead),
        (grace + 32, None, unsure(grace)),
        (2 * grace + 32, None, Presence::Dead),
    ];
    for (second, renewed, expected) in steps {
        CLOCK.store(NOW_S + second, Ordering::SeqCst);
        let stored = lease("g", renewed.map(|renewed| NOW_S + renewed), Some(30));
        writer.apply_watcher_event(&match renewed {
            Some(_) => Event::Apply(stored),
            None => Event::Delete(stored),
        });
        assert_eq!(leases.presence("default", "g"), expected, "second {second}");
    }
    println!("\ncases: {}", steps.len());
}
