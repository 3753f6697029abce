//! A server with one custom resource, Gadget, that the server knows nothing about; and a client
//! that shows status codes and bodies as they are.

use std::path::Path;

use http::Request;
use http_body_util::BodyExt as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::client::Body;
use serde_json::{Value, json};
use wasmbed_apiserver::{ApiServer, Config, Running, Token};

/// Where Gadgets of the default namespace are.
pub const GADGETS: &str = "/apis/test.example/v1/namespaces/default/gadgets";

/// The definition of Gadget.
pub fn definition() -> CustomResourceDefinition {
    serde_saphyr::from_str(include_str!("gadget.yaml")).unwrap()
}

/// Configuration for a data directory, with two users.
pub fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory);
    config.crds = vec![definition()];
    let token = |user: &str, group: &str| Token {
        token: format!("{user}-token"),
        user: user.to_owned(),
        groups: vec![group.to_owned()],
    };
    config.tokens = vec![token("admin", "system:masters"), token("reader", "view")];
    config
}

/// A running server and its data.
pub struct Fixture {
    pub running: Running,
    pub directory: tempfile::TempDir,
    client: kube::Client,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

impl Answer {
    /// `code reason`, or `code` for an answer that is no refusal.
    pub fn outcome(&self) -> String {
        match self.body["reason"].as_str().filter(|_| self.body["kind"] == "Status") {
            Some(reason) => format!("{} {reason}", self.code),
            None => self.code.to_string(),
        }
    }

    /// The body, of a request that must have gone well.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.code), "{} {}", self.code, self.body);
        self.body
    }
}

impl Fixture {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let running = ApiServer::start(config(directory.path())).await.unwrap();
        Self::around(running, directory)
    }

    /// A fixture of a server that runs already.
    pub fn around(running: Running, directory: tempfile::TempDir) -> Self {
        let client = running.client();
        Self { running, directory, client }
    }

    /// Sends a request as the user of `client`, or as the administrator.
    pub async fn call(&self, method: &str, path: &str, media: &str, body: &Value) -> Answer {
        self.call_as(&self.client, method, path, media, body).await
    }

    pub async fn call_as(
        &self,
        client: &kube::Client,
        method: &str,
        path: &str,
        media: &str,
        body: &Value,
    ) -> Answer {
        let body = match body {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        };
        let mut request =
            Request::builder().method(method).uri(path).header("user-agent", "test/1");
        let (header, media) = match media.strip_prefix("accept:") {
            Some(accept) => ("accept", accept),
            None => ("content-type", media),
        };
        if !media.is_empty() {
            request = request.header(header, media);
        }
        let answer = client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = || json!(String::from_utf8_lossy(&bytes));
        let warnings = parts.headers.get_all("warning").iter();
        Answer {
            code: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
            warnings: warnings.map(|value| value.to_str().unwrap().to_owned()).collect(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, "application/json", body).await
    }

    pub async fn merge(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, "application/merge-patch+json", body).await
    }

    pub async fn delete(&self, path: &str, body: &Value) -> Answer {
        self.call("DELETE", path, "application/json", body).await
    }

    /// Waits, by a watch, until the object at `path` is gone.
    pub async fn until_gone(&self, collection: &str, name: &str) {
        let query = format!(
            "{collection}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&\
             resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3D{name}"
        );
        let mut events = Events::open(&self.client, &query).await;
        let mut is_there = false;
        loop {
            let event = events.next().await.expect("the watch goes on");
            match event["type"].as_str() {
                Some("ADDED" | "MODIFIED") => is_there = true,
                Some("DELETED") => return,
                Some("BOOKMARK") if !is_there => return,
                Some("BOOKMARK") => {}
                other => panic!("{other:?}: {event}"),
            }
        }
    }
}

/// A Gadget with that spec.
pub fn gadget(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "test.example/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec,
    })
}

/// The events of a watch.
pub struct Events {
    body: Body,
    pending: Vec<u8>,
}

impl Events {
    pub async fn open(client: &kube::Client, path: &str) -> Self {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        Self::from_body(answer.into_body())
    }

    pub fn from_body(body: Body) -> Self {
        Self { body, pending: Vec::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(at) = self.pending.iter().position(|&byte| byte == b'\n') {
                let rest = self.pending.split_off(at + 1);
                let line = std::mem::replace(&mut self.pending, rest);
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.unwrap();
            self.pending.extend_from_slice(frame.data_ref().unwrap());
        }
    }

    /// `TYPE name` of the next events.
    pub async fn take(&mut self, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..count {
            let event = self.next().await.expect("the watch goes on");
            let name = event["object"]["metadata"]["name"].as_str().unwrap_or("").to_owned();
            seen.push(format!("{} {name}", event["type"].as_str().unwrap()).trim().to_owned());
        }
        seen
    }
}
