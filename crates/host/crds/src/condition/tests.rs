//! A condition keeps its transition time until its status changes.

use super::*;

fn at(second: i64) -> Time {
    Time(jiff::Timestamp::from_second(second).unwrap())
}

#[test]
fn transition_time_follows_the_status_alone() {
    // Verdict, reason, message, and then: did something change, and since when.
    let steps = [
        (Verdict::Unknown, "Pending", "", true, 1),
        (Verdict::Unknown, "Pending", "", false, 1),
        (Verdict::Unknown, "Other", "", true, 1),
        (Verdict::True, "Other", "", true, 4),
        (Verdict::True, "Other", "hello", true, 4),
        (Verdict::False, "Other", "hello", true, 6),
    ];
    let mut conditions = Vec::new();
    for (index, (verdict, reason, message, changed, since)) in steps.iter().enumerate() {
        let seconds = index as i64 + 1;
        let observation = Observation::new("Ready", *verdict, reason, *message);
        assert_eq!(set(&mut conditions, &observation, Some(seconds), at(seconds)), *changed);
        let [condition] = conditions.as_slice() else { panic!("one condition") };
        assert_eq!(condition.last_transition_time, at(*since));
        assert_eq!(condition.observed_generation, Some(seconds));
        assert_eq!(super::verdict(&conditions, "Ready"), *verdict);
    }
    println!("\ncases: {}", steps.len());
}
