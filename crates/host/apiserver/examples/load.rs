//! What the server does in a second: creates, status patches, reads, lists and watches, over TLS
//! and HTTP, with the load on the same machine. Prints a line for each.
//!
//! `cargo run --release -p wasmbed-apiserver --example load -- DATA_DIR CRD_FILE [OBJECTS]`
//!
//! The CRD must be the Gadget of this crate's tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::json;
use wasmbed_apiserver::{ApiServer, Config, Token};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PATH: &str = "/apis/test.example/v1/namespaces/default/gadgets";
const WRITERS: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: load DATA_DIR CRD_FILE [OBJECTS]";
    let mut config = Config::new(PathBuf::from(arguments.next().ok_or(usage)?));
    let definition = std::fs::read_to_string(arguments.next().ok_or(usage)?)?;
    let count: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    config.crds.push(serde_saphyr::from_str(&definition)?);
    let (user, groups) = ("admin".to_owned(), vec!["system:masters".to_owned()]);
    config.tokens.push(Token { token: uuid::Uuid::new_v4().to_string(), user, groups });
    let running = ApiServer::start(config).await?;
    report_memory("empty");
    let kubeconfig = running.kubeconfig("admin").unwrap_or_default();
    let kubeconfig = kube::config::Kubeconfig::from_yaml(&kubeconfig)?;
    let client = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = kube::Client::try_from(client)?;
    for (place, client) in [("tls", client), ("in process", running.client())] {
        measure(place, &client, count).await?;
    }
    report_memory("after");
    running.stop().await;
    Ok(())
}

async fn measure(place: &str, client: &kube::Client, count: usize) -> Result<(), Failure> {
    let padding = "x".repeat(700);
    let body = move |number: usize| {
        json!({
            "apiVersion": "test.example/v1", "kind": "Gadget",
            "metadata": {"name": format!("g{number}"), "annotations": {"test.example/padding": padding}},
            "spec": {"size": 1, "ports": [{"name": "a", "number": 1}]},
        })
    };
    let body = Arc::new(body);
    let create = move |number| {
        let body = body(number).to_string();
        Request::post(PATH)
            .header("content-type", "application/json")
            .body(Body::from(body.into_bytes()))
    };
    many(place, "create", client, count, create).await?;
    let patch = |number| {
        let body = json!({"status": {"replicas": number}}).to_string();
        Request::patch(format!("{PATH}/g{number}/status"))
            .header("content-type", "application/merge-patch+json")
            .body(Body::from(body.into_bytes()))
    };
    many(place, "patch status", client, count, patch).await?;
    let get = |number| Request::get(format!("{PATH}/g{number}")).body(Body::empty());
    many(place, "get", client, count, get).await?;
    let start = Instant::now();
    let list = client.send(Request::get(PATH).body(Body::empty())?).await?;
    let bytes = list.into_body().collect().await?.to_bytes().len();
    println!("{place}: list of {count}, {bytes} bytes: {:?}", start.elapsed());
    watches(place, client).await?;
    let delete = |number| Request::delete(format!("{PATH}/g{number}")).body(Body::empty());
    many(place, "delete", client, count, delete).await
}

async fn many(
    place: &str,
    what: &str,
    client: &kube::Client,
    count: usize,
    make: impl Fn(usize) -> http::Result<Request<Body>> + Send + Sync + 'static,
) -> Result<(), Failure> {
    let make = Arc::new(make);
    let start = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (client, make) = (client.clone(), make.clone());
        writers.spawn(async move {
            let mut times = Vec::new();
            for number in (writer..count).step_by(WRITERS) {
                let start = Instant::now();
                let answer = client.send(make(number)?).await?;
                if !answer.status().is_success() {
                    return Err(format!("answered {}", answer.status()).into());
                }
                answer.into_body().collect().await?;
                times.push(start.elapsed());
            }
            Ok::<_, Failure>(times)
        });
    }
    let mut times: Vec<Duration> = Vec::new();
    while let Some(result) = writers.join_next().await {
        times.extend(result??);
    }
    let elapsed = start.elapsed();
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let rate = count as f64 / elapsed.as_secs_f64();
    println!("{place}: {what}: {rate:.0}/s, p50 {:?}, p99 {:?}", at(50), at(99));
    Ok(())
}

async fn watches(place: &str, client: &kube::Client) -> Result<(), Failure> {
    const WATCHES: usize = 200;
    const CHANGES: usize = 1000;
    let version = client.send(Request::get(format!("{PATH}?limit=1")).body(Body::empty())?).await?;
    let version: serde_json::Value =
        serde_json::from_slice(&version.into_body().collect().await?.to_bytes())?;
    let version = version["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WATCHES {
        let path = format!("{PATH}?watch=true&resourceVersion={version}");
        let answer = client.send(Request::get(path).body(Body::empty())?).await?;
        tasks.spawn(async move {
            let (mut body, mut seen) = (answer.into_body(), 0);
            while seen < CHANGES {
                let Some(frame) = body.frame().await else { return Err("the watch ended".into()) };
                let data = frame?.into_data().map_err(|_| "trailers")?;
                seen += data.iter().filter(|&&byte| byte == b'\n').count();
            }
            Ok::<_, Failure>(())
        });
    }
    let start = Instant::now();
    let patch = |number| {
        let body = json!({"status": {"replicas": number + 1_000_000}}).to_string();
        Request::patch(format!("{PATH}/g{number}/status"))
            .header("content-type", "application/merge-patch+json")
            .body(Body::from(body.into_bytes()))
    };
    many(place, "patch status while watched", client, CHANGES, patch).await?;
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    let rate = (WATCHES * CHANGES) as f64 / start.elapsed().as_secs_f64();
    println!("{place}: {WATCHES} watches x {CHANGES} changes: {rate:.0} events/s");
    Ok(())
}

fn report_memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: unknown");
    println!("{when}: {line}");
}
