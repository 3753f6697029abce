//! A QEMU that answers well, late, wrongly and not at all.

use tokio::io::AsyncBufReadExt;

use super::*;

const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#;

/// A client, and the other end of its line after the capabilities were agreed on.
async fn open() -> (Qmp, mpsc::Receiver<Event>, BufReader<UnixStream>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut theirs = BufReader::new(theirs);
    let serve = async {
        send(&mut theirs, GREETING).await;
        assert_eq!(receive(&mut theirs).await["execute"], "qmp_capabilities");
        send(&mut theirs, r#"{"return": {}, "id": 1}"#).await;
    };
    let (opened, ()) = tokio::join!(Qmp::open(ours), serve);
    let (qmp, events) = opened.unwrap();
    (qmp, events, theirs)
}

async fn send(stream: &mut BufReader<UnixStream>, line: &str) {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
}

async fn receive(stream: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

#[tokio::test]
async fn a_command_has_its_arguments_and_its_result() {
    let (qmp, _events, mut qemu) = open().await;
    let serve = async {
        let command = receive(&mut qemu).await;
        assert_eq!(command["arguments"], json!({ "name": "cable", "up": false }));
        let id = &command["id"];
        // An answer to a command that was given up, and an event, come first.
        send(&mut qemu, r#"{"return": "old", "id": 1}"#).await;
        send(&mut qemu, r#"{"event": "RESET", "timestamp": {}, "data": {"guest": true}}"#).await;
        send(&mut qemu, &format!(r#"{{"return": "new", "id": {id}}}"#)).await;
    };
    let arguments = json!({ "name": "cable", "up": false });
    let (result, ()) = tokio::join!(qmp.execute("set_link", arguments), serve);
    assert_eq!(result.unwrap(), "new");
}

#[tokio::test]
async fn a_refusal_says_why() {
    let (qmp, _events, mut qemu) = open().await;
    let serve = async {
        let id = receive(&mut qemu).await["id"].clone();
        let error = r#"{"class": "GenericError", "desc": "no such thing"}"#;
        send(&mut qemu, &format!(r#"{{"error": {error}, "id": {id}}}"#)).await;
    };
    let (result, ()) = tokio::join!(qmp.execute("oops", Value::Null), serve);
    assert_eq!(result.unwrap_err().to_string(), "oops: GenericError: no such thing");
}

#[tokio::test]
async fn events_arrive_beside_commands_and_a_flood_is_bounded() {
    let (_qmp, mut events, mut qemu) = open().await;
    for _ in 0..3 * QMP_EVENTS_MAX {
        send(&mut qemu, r#"{"event": "STOP", "timestamp": {}}"#).await;
    }
    drop(qemu);
    let mut count = 0;
    while let Some(event) = events.recv().await {
        assert_eq!(event, Event { name: "STOP".into(), data: Value::Null });
        count += 1;
    }
    assert!((1..=3 * QMP_EVENTS_MAX).contains(&count));
}

#[tokio::test]
async fn what_is_not_qmp_ends_the_connection() {
    let long = format!(r#"{{"event": "{}"}}"#, "x".repeat(QMP_LINE_BYTES_MAX));
    let lines = ["", "{", "[]", "\u{0}", "{\"return\"}", r#"{"id": 2}"#, &long];
    for line in lines {
        let (qmp, mut events, mut qemu) = open().await;
        // The client may hang up before it has all of it.
        let _ = qemu.get_mut().write_all(format!("{line}\n").as_bytes()).await;
        assert_eq!(events.recv().await, None, "{line:.20}");
        let result = qmp.execute("query-status", Value::Null).await;
        assert!(matches!(result, Err(QmpError::Connection(_))), "{line:.20}");
    }
    println!("\ncases: {}\n", lines.len());
}

#[tokio::test]
async fn a_stranger_is_not_taken_for_qemu() {
    for first in ["", "220 smtp ready\n", "{\"event\": \"RESET\"}\n"] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(first.as_bytes()).await.unwrap();
        drop(theirs);
        assert!(Qmp::open(ours).await.is_err(), "{first}");
    }
    println!("\ncases: 3\n");
}

#[tokio::test]
async fn a_qemu_that_is_stuck_does_not_hold_us() {
    let (qmp, _events, _qemu) = open().await;
    let patience = Duration::from_millis(1);
    let result = qmp.execute_within(patience, "query-status", Value::Null).await;
    assert!(matches!(result, Err(QmpError::Timeout { command }) if command == "query-status"));
}
