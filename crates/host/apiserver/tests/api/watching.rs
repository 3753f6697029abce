//! Watches: from a version, from the current state, by selector, and past the end of history.

use serde_json::{Value, json};

use crate::fixture::{Events, Fixture, GADGETS, gadget};

const WATCH_LIST: &str =
    "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

async fn change(server: &Fixture) {
    server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    server.merge(&format!("{GADGETS}/one"), &json!({"spec": {"size": 2}})).await.ok();
    server.delete(&format!("{GADGETS}/one"), &Value::Null).await.ok();
}

#[tokio::test]
async fn a_watch_shows_each_change_after_its_version() {
    let server = Fixture::new().await;
    let client = server.running.client();
    let list = server.get(GADGETS).await.ok();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    change(&server).await;
    let path = format!("{GADGETS}?watch=true&resourceVersion={version}");
    let mut past = Events::open(&client, &path).await;
    assert_eq!(past.take(3).await, ["ADDED one", "MODIFIED one", "DELETED one"]);
    let mut live = Events::open(&client, &format!("{GADGETS}?watch=true")).await;
    change(&server).await;
    assert_eq!(live.take(3).await, ["ADDED one", "MODIFIED one", "DELETED one"]);
    assert_eq!(past.take(3).await, ["ADDED one", "MODIFIED one", "DELETED one"]);
    let ended = format!("{path}&timeoutSeconds=1");
    let mut ended = Events::open(&client, &ended).await;
    assert_eq!(ended.take(6).await.len(), 6);
    assert_eq!(ended.next().await, None);
}

#[tokio::test]
async fn a_watch_list_begins_with_the_state_and_says_where_it_ends() {
    let server = Fixture::new().await;
    server.post(GADGETS, &gadget("a", &json!({"size": 1}))).await.ok();
    server.post(GADGETS, &gadget("b", &json!({"size": 1}))).await.ok();
    let client = server.running.client();
    let mut events = Events::open(&client, &format!("{GADGETS}?{WATCH_LIST}")).await;
    assert_eq!(events.take(2).await, ["ADDED a", "ADDED b"]);
    let bookmark = events.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["kind"], "Gadget");
    let meta = &bookmark["object"]["metadata"];
    assert_eq!(meta["annotations"]["k8s.io/initial-events-end"], "true");
    let list = server.get(GADGETS).await.ok();
    assert_eq!(meta["resourceVersion"], list["metadata"]["resourceVersion"]);
    server.post(GADGETS, &gadget("c", &json!({"size": 1}))).await.ok();
    assert_eq!(events.take(1).await, ["ADDED c"]);
    let refused = server.get(&format!("{GADGETS}?watch=true&sendInitialEvents=true")).await;
    assert_eq!(refused.outcome(), "422 Invalid");
}

#[tokio::test]
async fn objects_enter_and_leave_a_selection() {
    let server = Fixture::new().await;
    let client = server.running.client();
    let path = format!("{GADGETS}?watch=true&labelSelector=app%3Dweb");
    let mut events = Events::open(&client, &path).await;
    server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    let one = format!("{GADGETS}/one");
    for app in [json!("web"), json!("db"), json!("web")] {
        server.merge(&one, &json!({"metadata": {"labels": {"app": app}}})).await.ok();
    }
    server.merge(&one, &json!({"spec": {"size": 2}})).await.ok();
    server.delete(&one, &Value::Null).await.ok();
    let seen = events.take(5).await;
    assert_eq!(seen, ["ADDED one", "DELETED one", "ADDED one", "MODIFIED one", "DELETED one"]);
}

#[tokio::test]
async fn a_version_that_is_too_old_expires() {
    let server = Fixture::new().await;
    for number in 0..10 {
        server.post(GADGETS, &gadget(&format!("g{number}"), &json!({"size": 1}))).await.ok();
    }
    let client = server.running.client();
    // The history begins with this process; version 1 is from before the first object.
    let directory = server.directory;
    server.running.stop().await;
    let running = wasmbed_apiserver::ApiServer::start(crate::fixture::config(directory.path()));
    let running = running.await.unwrap();
    drop(client);
    let client = running.client();
    let mut events =
        Events::open(&client, &format!("{GADGETS}?watch=true&resourceVersion=2")).await;
    let error = events.next().await.unwrap();
    assert_eq!(error["type"], "ERROR");
    assert_eq!(error["object"]["code"], 410);
    assert_eq!(error["object"]["reason"], "Expired");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_watch_of_tables_defines_its_columns_once() {
    let server = Fixture::new().await;
    let client = server.running.client();
    let request = http::Request::get(format!("{GADGETS}?watch=true"))
        .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let request = request.body(kube::client::Body::empty()).unwrap();
    let answer = client.send(request).await.unwrap();
    server.post(GADGETS, &gadget("a", &json!({"size": 1}))).await.ok();
    server.post(GADGETS, &gadget("b", &json!({"size": 2}))).await.ok();
    let mut events = Events::from_body(answer.into_body());
    let first = events.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table");
    assert_eq!(first["object"]["columnDefinitions"].as_array().unwrap().len(), 5);
    let second = events.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"], Value::Null);
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
}

#[tokio::test]
async fn many_watches_see_every_change_in_order() {
    const WATCHES: usize = 100;
    const CHANGES: usize = 200;
    let server = Fixture::new().await;
    let client = server.running.client();
    let mut watches = Vec::new();
    for _ in 0..WATCHES {
        let mut events = Events::open(&client, &format!("{GADGETS}?watch=true")).await;
        watches.push(tokio::spawn(async move {
            let mut last = 0;
            for _ in 0..CHANGES {
                let event = events.next().await.unwrap();
                let version = event["object"]["metadata"]["resourceVersion"].as_str().unwrap();
                let version: u64 = version.parse().unwrap();
                assert!(version > last);
                last = version;
            }
        }));
    }
    server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    for number in 1..CHANGES {
        let patch = json!({"spec": {"replicas": number}});
        server.merge(&format!("{GADGETS}/one"), &patch).await.ok();
    }
    for watch in watches {
        watch.await.unwrap();
    }
    println!("\ncases: {}\n", WATCHES * CHANGES);
}
