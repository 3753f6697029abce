//! Events that grow old, by a clock of the test's.

use jiff::ToSpan as _;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::expire_events;
use crate::{ApiServer, Config};

#[tokio::test]
async fn an_event_is_kept_for_an_hour() {
    let directory = tempfile::tempdir().unwrap();
    let running = ApiServer::start(Config::new(directory.path())).await.unwrap();
    let events: Api<Event> = Api::namespaced(running.client(), "default");
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"name": "x"}});
    let event = serde_json::from_value(event).unwrap();
    events.create(&PostParams::default(), &event).await.unwrap();
    for (minutes, is_there) in [(0, true), (59, true), (61, false)] {
        let now = jiff::Timestamp::now() + minutes.minutes();
        expire_events(running.core(), now).await.unwrap();
        assert_eq!(events.get_opt("e").await.unwrap().is_some(), is_there, "{minutes} minutes");
    }
}
