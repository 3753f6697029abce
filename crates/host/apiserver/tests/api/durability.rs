//! What was acknowledged survives `kill -9` at any moment.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::json;
use wasmbed_apiserver::ApiServer;

use crate::fixture::{Fixture, GADGETS, config, gadget};

const DIRECTORY: &str = "WASMBED_TEST_APISERVER_DIRECTORY";

/// Writes as fast as it can, and prints each name once its write was acknowledged. Does nothing
/// unless started by the test below, as a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let running = ApiServer::start(config(directory.as_ref())).await.unwrap();
    let client = running.client();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let client = client.clone();
        writers.spawn(async move {
            for number in 0.. {
                let name = format!("w{writer}-{number}");
                let body = gadget(&name, &json!({"size": 1, "replicas": number})).to_string();
                let request =
                    http::Request::post(GADGETS).header("content-type", "application/json");
                let request = request.body(kube::client::Body::from(body.into_bytes())).unwrap();
                assert_eq!(client.send(request).await.unwrap().status(), 201);
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {name}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    writers.join_next().await;
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for kill_after in [1, 37, 200] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::child_that_writes_until_killed", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut count = 0;
        for line in lines.by_ref() {
            let Some(name) = line.unwrap().strip_prefix("acknowledged ").map(str::to_owned) else {
                continue;
            };
            acknowledged.push(name);
            count += 1;
            if count == kill_after {
                child.kill().unwrap();
                break;
            }
        }
        // What was printed before the kill took effect was acknowledged too.
        for line in lines.map_while(Result::ok) {
            acknowledged.extend(line.strip_prefix("acknowledged ").map(str::to_owned));
        }
        child.wait().unwrap();
        let running = ApiServer::start(config(directory.path())).await.unwrap();
        let server = Fixture::around(running, tempfile::tempdir().unwrap());
        for name in &acknowledged {
            assert_eq!(server.get(&format!("{GADGETS}/{name}")).await.code, 200, "{name}");
        }
        // The next child starts from nothing, so that names do not clash; versions go on.
        server.delete(GADGETS, &serde_json::Value::Null).await.ok();
        server.running.stop().await;
        println!("\ncases: {}\n", acknowledged.len());
        acknowledged.clear();
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_with_a_reason() {
    let server = Fixture::new().await;
    server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    let directory = server.directory;
    server.running.stop().await;
    let file = directory.path().join("objects.redb");
    let good = std::fs::read(&file).unwrap();
    let mut damages: Vec<Vec<u8>> = [1, 100, 512, 4_096, good.len() / 2, good.len() - 1]
        .iter()
        .map(|bytes| good[..*bytes].to_vec())
        .collect();
    damages.push(vec![0xA5; good.len()]);
    for page in good.chunks(4_096).enumerate().filter(|(_, page)| page.iter().any(|b| *b != 0)) {
        let mut damaged = good.clone();
        damaged[page.0 * 4_096..][..page.1.len()].fill(0xA5);
        damages.push(damaged);
    }
    let (mut refused, cases) = (0, damages.len());
    for (case, damaged) in damages.into_iter().enumerate() {
        std::fs::write(&file, damaged).unwrap();
        match ApiServer::start(config(directory.path())).await {
            Err(error) => {
                assert!(error.to_string().contains("open the database"), "{case}: {error}");
                refused += 1;
            }
            // The page held nothing that is still used.
            Ok(running) => {
                let server = Fixture::around(running, tempfile::tempdir().unwrap());
                assert_eq!(server.get(&format!("{GADGETS}/one")).await.code, 200, "{case}");
                server.running.stop().await;
            }
        }
    }
    assert!(refused >= 8, "{refused} of {cases} refused");
    std::fs::write(&file, good).unwrap();
    ApiServer::start(config(directory.path())).await.unwrap().stop().await;
    println!("\ncases: {}\n", cases + 1);
}

#[tokio::test]
async fn versions_go_on_after_a_restart() {
    let server = Fixture::new().await;
    let made = server.post(GADGETS, &gadget("one", &json!({"size": 1}))).await.ok();
    let directory = server.directory;
    server.running.stop().await;
    let running = ApiServer::start(config(directory.path())).await.unwrap();
    let server = Fixture::around(running, directory);
    assert_eq!(server.get(&format!("{GADGETS}/one")).await.ok(), made);
    let next = server.merge(&format!("{GADGETS}/one"), &json!({"spec": {"size": 2}})).await.ok();
    let version = |object: &serde_json::Value| -> u64 {
        object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(version(&next), version(&made) + 1);
}
