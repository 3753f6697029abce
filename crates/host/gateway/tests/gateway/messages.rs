//! Messages of guests to the cloud and back, through the live API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use wasmbed_gateway::Limits;
use wasmbed_wire::{
    AppId, CommandOutcome, CommandResult, DeviceMessage, GatewayMessage, GuestState, Message,
};

use crate::harness::Harness;
use crate::live_api::{Caller, device_path, settle};
use crate::peer::{DeviceKey, PATIENCE, Peer};

async fn message(peer: &mut Peer, app: AppId, sequence: u32, topic: &str, payload: &[u8]) {
    let message = Message { app, sequence, uptime_ms: 5, topic, payload };
    peer.send(&DeviceMessage::Message(message)).await;
}

/// Answers the next message with `outcome`, and returns its topic and payload.
async fn take(peer: &mut Peer, outcome: CommandOutcome, receivers: u8) -> (String, Vec<u8>) {
    let body = peer.receive().await.expect("a message");
    let message = GatewayMessage::decode(&body).expect("a message");
    let GatewayMessage::Deliver(deliver) = message else { panic!("not a delivery: {message:?}") };
    let (id, receivers) = (deliver.id, Some(receivers));
    let result = CommandResult { id, outcome, uptime_ms: 77, receivers };
    peer.send(&DeviceMessage::CommandResult(result)).await;
    (deliver.topic.to_owned(), deliver.payload.to_vec())
}

#[tokio::test]
async fn messages_are_read_from_where_the_reader_wants() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let app = harness.application("chat", b"image", 100).await;
    let mut peer = harness.enrolled_with_desired(&key, "DesiredState 1 1:run").await;
    message(&mut peer, app, 1, "chat/a", b"hello").await;
    message(&mut peer, app, 4, "chat/b", b"\xff\x00").await;
    message(&mut peer, AppId([5; 16]), 5, "chat/a", b"two\nlines").await;
    settle(&harness, &mut peer, &key).await;
    let caller = Caller::proxy(&harness);
    let all = [
        "chat chat/a hello",
        "--- 2 messages dropped by the device ---",
        "chat chat/b base64:/wA=",
        "05050505-0505-0505-0505-050505050505 chat/a base64:dHdvCmxpbmVz",
    ];
    let cases: [(&str, &[&str]); 6] = [
        ("messages", &all),
        ("messages?tail=1", &all[3..]),
        ("messages?sinceSeq=2", &all[1..]),
        ("messages?sinceSeq=9", &[]),
        ("messages?application=chat", &all[..3]),
        ("messages?topic=chat/b", &all[1..3]),
    ];
    for (rest, expected) in cases {
        let (status, text) = caller.text(Method::GET, &device_path(&key, rest)).await;
        assert_eq!(status, 200);
        // Each line begins with the time, and a loss with dashes.
        let without_time = |line: &'_ str| match line.split_once(' ') {
            Some((time, rest)) if time != "---" => rest.to_owned(),
            _ => line.to_owned(),
        };
        let found: Vec<String> = text.lines().map(without_time).collect();
        assert_eq!(found, expected, "{rest}");
    }
    let path = device_path(&key, "messages?format=json&tail=2");
    let (_, text) = caller.text(Method::GET, &path).await;
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["dropped"], &lines[0]["by"]), (&2.into(), &"device".into()));
    assert_eq!((&lines[1]["payload"], &lines[1]["text"]), (&"/wA=".into(), &Value::Null));
    assert_eq!((&lines[2]["seq"], &lines[2]["deviceSeq"]), (&3.into(), &5.into()));
    assert_eq!(lines[2]["text"], "two\nlines");
    println!("\ncases: {}\n", cases.len() + 3);
}

#[tokio::test]
async fn a_reader_learns_what_the_gateway_dropped_and_follows_what_comes() {
    let limits = Limits { messages_bytes_max: 2_000, ..Limits::default() };
    let harness = Harness::start_with(limits).await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    for sequence in 1..=50 {
        message(&mut peer, AppId([5; 16]), sequence, "t", &[b'x'; 100]).await;
    }
    settle(&harness, &mut peer, &key).await;
    let caller = Caller::proxy(&harness);
    let (_, text) =
        caller.text(Method::GET, &device_path(&key, "messages?sinceSeq=1&format=json")).await;
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    let dropped = first["dropped"].as_u64().expect("the first line tells the loss");
    assert_eq!(first["by"], "gateway");
    assert_eq!(dropped + text.lines().count() as u64 - 1, 50);

    let path = device_path(&key, "messages?follow=true&tail=0");
    let (_, mut body) = caller.call(Method::GET, &path).await.expect("an answer");
    message(&mut peer, AppId([5; 16]), 51, "t", b"while following").await;
    let mut seen = String::new();
    while !seen.contains("while following") {
        let frame = timeout(PATIENCE, body.frame()).await.expect("a line in time");
        let frame = frame.expect("the stream goes on").expect("no error");
        seen.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("text"));
    }
    assert!(!seen.contains("xxx"), "only what came: {seen}");
    println!("\ncases: 4\n");
}

#[tokio::test]
async fn what_became_of_a_sent_message_is_told() {
    let harness = Harness::start().await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let caller = Caller::proxy(&harness);
    let path = device_path(&key, "messages");
    let text = json!({ "topic": "chat/a", "text": "hello" });
    let binary = json!({ "topic": "chat/a", "payload": BASE64.encode([0xff, 0]) });
    /// Order, payload; outcome and receivers as the device answers; status and words for the user.
    type Case<'a> = (&'a Value, &'a [u8], CommandOutcome, u8, u16, &'a str);
    let cases: [Case; 6] = [
        (&text, b"hello", CommandOutcome::Done, 2, 200, ""),
        (&binary, &[0xff, 0], CommandOutcome::Done, 1, 200, ""),
        (&text, b"hello", CommandOutcome::NoReceiver, 0, 409, "receive:chat/a"),
        (&text, b"hello", CommandOutcome::QueueFull, 1, 429, "delivered to 1 others"),
        (&text, b"hello", CommandOutcome::Unsupported, 0, 501, "Unsupported"),
        (&text, b"hello", CommandOutcome::Failed, 0, 500, "Failed"),
    ];
    for (order, payload, outcome, receivers, code, said) in cases {
        let asking = caller.post(&path, order);
        let ((status, body), taken) = tokio::join!(asking, take(&mut peer, outcome, receivers));
        assert_eq!(status, code, "{body}");
        assert_eq!(taken, ("chat/a".to_owned(), payload.to_vec()));
        if code == 200 {
            assert_eq!(body["outcome"], "Delivered");
            assert_eq!(
                (&body["command"], &body["receivers"]),
                (&"message".into(), &receivers.into())
            );
        } else {
            assert!(body["message"].as_str().is_some_and(|text| text.contains(said)), "{body}");
        }
    }
    println!("\ncases: {}\n", cases.len());
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_refused_with_the_reason() {
    let limits =
        Limits { command_timeout: std::time::Duration::from_millis(200), ..Limits::default() };
    let harness = Harness::start_with(limits).await;
    let key = DeviceKey::generate();
    let mut peer = harness.enrolled(&key).await;
    let caller = Caller::proxy(&harness);
    let path = device_path(&key, "messages");
    let long = "x".repeat(257);
    let cases = [
        (json!({ "topic": "t" }), "either text, or payload"),
        (json!({ "topic": "t", "text": "", "payload": "" }), "either text, or payload"),
        (json!({ "topic": "", "text": "a" }), "topic takes 0 bytes"),
        (json!({ "topic": "t".repeat(33), "text": "a" }), "topic takes 33 bytes"),
        (json!({ "topic": "t", "text": long }), "the message takes 257 bytes; 256 are allowed"),
        (json!({ "topic": "t", "payload": "*" }), "not Base64"),
        (json!({ "topic": "t", "value": 1 }), "unknown field"),
        (json!([]), "no message"),
    ];
    for (order, said) in &cases {
        let (status, body) = caller.post(&path, order).await;
        assert_eq!(status, 400, "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(said)), "{body}");
    }
    let text = json!({ "topic": "t", "text": "" });
    let (status, body) = caller.post(&path, &text).await;
    assert_eq!((status, &body["reason"]), (504, &"Timeout".into()));
    peer.expect("Deliver").await;
    peer.close().await;
    harness.until_connected(&key.device_name(), "False SessionClosed").await;
    let (status, body) = caller.post(&path, &text).await;
    assert_eq!(status, 503, "{body}");

    let mut old = harness.connect(&key).await;
    old.hello_of_minor(0).await;
    old.expect("Welcome 2").await;
    old.report(AppId([1; 16]), 1, GuestState::Running).await;
    let (status, body) = caller.post(&path, &text).await;
    assert_eq!(status, 501, "{body}");
    assert!(body["message"].as_str().is_some_and(|text| text.contains("speaks protocol 1.0")));
    println!("\ncases: {}\n", cases.len() + 3);
}
