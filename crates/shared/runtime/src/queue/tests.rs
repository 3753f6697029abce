//! Order, bounds and counting of the queue.

use wasmbed_wire::AppId;

use super::{HEAD_BYTES, Kind, Queue};

const APP: AppId = AppId([7; 16]);

fn drain(queue: &mut Queue<'_>) -> Vec<(Kind, u32, Vec<u8>, i64)> {
    let mut records = Vec::new();
    while let Some(record) = queue.next() {
        assert_eq!((record.app, record.uptime_ms), (APP, 5));
        records.push((record.kind, record.sequence, record.payload.to_vec(), record.value));
        queue.drop_next();
    }
    records
}

#[test]
fn telemetry_goes_before_logs_and_each_in_its_order() {
    let mut bytes = [0; 512];
    let mut queue = Queue::new(&mut bytes);
    queue.push_log(APP, 5, b"one");
    assert!(queue.push_sample(APP, 5, b"t", -1));
    queue.push_log(APP, 5, b"");
    assert!(queue.push_sample(APP, 5, b"u", 2));
    let expected = vec![
        (Kind::Telemetry, 0, b"t".to_vec(), -1),
        (Kind::Telemetry, 1, b"u".to_vec(), 2),
        (Kind::Log, 0, b"one".to_vec(), 0),
        (Kind::Log, 1, b"".to_vec(), 0),
    ];
    assert_eq!(drain(&mut queue), expected);
    assert!(queue.next().is_none());
}

#[test]
fn a_full_queue_drops_the_oldest_log_lines_and_counts_them() {
    let mut bytes = [0; 3 * (HEAD_BYTES + 4)];
    let mut queue = Queue::new(&mut bytes);
    for number in 0..10_u32 {
        queue.push_log(APP, 5, &number.to_le_bytes());
    }
    assert_eq!(queue.logs_dropped, 7);
    let left: Vec<u32> = drain(&mut queue).iter().map(|record| record.1).collect();
    assert_eq!(left, [7, 8, 9]);
}

#[test]
fn a_sample_displaces_log_lines_but_no_log_line_displaces_a_sample() {
    let mut bytes = [0; 2 * (HEAD_BYTES + 1)];
    let mut queue = Queue::new(&mut bytes);
    queue.push_log(APP, 5, b"l");
    assert!(queue.push_sample(APP, 5, b"t", 1));
    assert!(queue.push_sample(APP, 5, b"t", 2));
    assert_eq!((queue.logs_dropped, queue.telemetry_dropped), (1, 0));
    queue.push_log(APP, 5, b"m");
    assert!(!queue.push_sample(APP, 5, b"t", 3));
    assert_eq!((queue.logs_dropped, queue.telemetry_dropped), (2, 1));
    assert_eq!(drain(&mut queue).len(), 2);
}

#[test]
fn a_record_larger_than_the_queue_is_dropped_and_counted() {
    let mut bytes = [0; HEAD_BYTES + 1];
    let mut queue = Queue::new(&mut bytes);
    queue.push_log(APP, 5, b"xx");
    assert_eq!(queue.logs_dropped, 1);
    assert!(queue.next().is_none());
}
