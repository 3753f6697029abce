//! Watches: the state at some version, then each change, as newline-delimited JSON.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::kind::Kind;
use crate::limits;
use crate::list::{Pass, Selection};
use crate::negotiate::Shape;
use crate::object;
use crate::reply::{self, Reply};
use crate::request::{Asked, Target};
use crate::server::Core;
use crate::status::Refusal;
use crate::store::{Change, Event, History, Store};
use crate::table::Form;

/// Where a watch is.
enum Phase {
    /// Sending what is there; with `true`, a bookmark follows.
    Initial(Box<Pass>, bool),
    Live,
    Over,
}

struct Watcher {
    selection: Selection,
    form: Form,
    history: Arc<History>,
    changes: tokio::sync::watch::Receiver<u64>,
    store: Arc<Store>,
    shutdown: CancellationToken,
    phase: Phase,
    position: u64,
    has_bookmarks: bool,
    has_definitions: bool,
    deadline: Instant,
    _permit: OwnedSemaphorePermit,
}

/// GET of a collection with `watch=true`.
pub(crate) fn watch(
    core: &Core,
    asked: &Asked,
    kind: &Arc<Kind>,
    target: &Target,
) -> Result<Reply, Refusal> {
    let form = Form::of(asked)?;
    let selection = Selection::of(asked, kind, target)?;
    let permit = core.watches.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::too_many("watches"))?;
    let history = core.store.history(&kind.resource);
    let changes = history.subscribe();
    let from = asked.query.number("resourceVersion")?.unwrap_or(0);
    let has_initial = initial_events(asked)?;
    let has_bookmarks = asked.query.flag("allowWatchBookmarks");
    let (phase, position) = if has_initial || from == 0 {
        let pass = Pass::new(core, &selection)?;
        if has_initial {
            crate::list::check_version(asked, pass.snapshot.revision)?;
        }
        let revision = pass.snapshot.revision;
        (Phase::Initial(Box::new(pass), has_initial && has_bookmarks), revision)
    } else {
        (Phase::Live, from)
    };
    let watcher = Watcher {
        selection,
        form,
        history,
        changes,
        store: core.store.clone(),
        shutdown: core.shutdown.clone(),
        phase,
        position,
        has_bookmarks,
        has_definitions: true,
        deadline: Instant::now() + timeout(asked)?,
        _permit: permit,
    };
    Ok(reply::stream(futures::stream::unfold(watcher, |mut watcher| async move {
        let piece = watcher.next().await?;
        Some((Ok(piece), watcher))
    })))
}

fn initial_events(asked: &Asked) -> Result<bool, Refusal> {
    let version_match = asked.query.value("resourceVersionMatch");
    match asked.query.value("sendInitialEvents") {
        "" if version_match.is_empty() => Ok(false),
        "" => {
            let message =
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            Err(Refusal::new(422, "Invalid", message))
        }
        _ if version_match != "NotOlderThan" => {
            let message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            Err(Refusal::new(422, "Invalid", message))
        }
        value => Ok(matches!(value, "true" | "1")),
    }
}

fn timeout(asked: &Asked) -> Result<Duration, Refusal> {
    let seconds = asked.query.number("timeoutSeconds")?.filter(|&seconds| seconds > 0);
    Ok(seconds.map_or(limits::WATCH_TIMEOUT, |seconds| {
        Duration::from_secs(seconds).min(limits::WATCH_TIMEOUT_MAX)
    }))
}

impl Watcher {
    /// The next piece of the stream, or `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.shutdown.is_cancelled() {
                return None;
            }
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Over => return None,
                Phase::Initial(mut pass, has_bookmark) => {
                    let piece = self.initial(&mut pass, has_bookmark);
                    if !pass.is_done() {
                        self.phase = Phase::Initial(pass, has_bookmark);
                    } else if !matches!(self.phase, Phase::Initial(..)) && piece.is_ok() {
                        self.phase = Phase::Live;
                    }
                    match piece {
                        Ok(piece) if piece.is_empty() => {}
                        Ok(piece) => return Some(piece),
                        Err(refusal) => {
                            self.phase = Phase::Over;
                            return Some(error_line(&refusal));
                        }
                    }
                    tokio::task::yield_now().await;
                }
                Phase::Live => {
                    self.phase = Phase::Live;
                    self.changes.borrow_and_update();
                    let seen = self.store.revision();
                    match self.live() {
                        Ok(Some(piece)) if piece.is_empty() => {}
                        Ok(Some(piece)) => return Some(piece),
                        Ok(None) => {
                            // All changes up to here were looked at, of this resource or others.
                            self.position = self.position.max(seen);
                            if let Some(piece) = self.wait().await {
                                return Some(piece);
                            }
                        }
                        Err(refusal) => {
                            self.phase = Phase::Over;
                            return Some(error_line(&refusal));
                        }
                    }
                }
            }
        }
    }

    /// Waits for a change, the time for a bookmark, or the end; a piece only for a bookmark.
    async fn wait(&mut self) -> Option<Bytes> {
        let bookmark_at = Instant::now() + limits::BOOKMARK_INTERVAL;
        let until = if self.has_bookmarks { bookmark_at.min(self.deadline) } else { self.deadline };
        tokio::select! {
            changed = self.changes.changed() => {
                if changed.is_err() {
                    self.phase = Phase::Over;
                }
                None
            }
            () = self.shutdown.cancelled() => {
                self.phase = Phase::Over;
                None
            }
            () = tokio::time::sleep_until(until) => {
                if Instant::now() >= self.deadline {
                    self.phase = Phase::Over;
                }
                self.has_bookmarks.then(|| self.bookmark(false))
            }
        }
    }

    fn initial(&mut self, pass: &mut Pass, has_bookmark: bool) -> Result<Bytes, Refusal> {
        let mut piece = BytesMut::new();
        let mut failure = None;
        let (form, has_definitions) = (self.form, &mut self.has_definitions);
        let kind = self.selection.kind.clone();
        pass.advance(&self.selection, |_, json| {
            let has_definitions = std::mem::replace(has_definitions, false);
            match form.alone(&kind, &json, has_definitions) {
                Ok(object) => put_line(&mut piece, "ADDED", &object),
                Err(refusal) => failure = Some(refusal),
            }
            failure.is_none() && piece.len() < limits::CHUNK_BYTES
        })?;
        if let Some(refusal) = failure {
            return Err(refusal);
        }
        if pass.is_done() && has_bookmark {
            piece.put(self.bookmark(true));
        }
        Ok(piece.freeze())
    }

    /// Changes that are there; `None` if there are none, an empty piece if none is selected.
    fn live(&mut self) -> Result<Option<Bytes>, Refusal> {
        let events = self.history.after(self.position, limits::CHANGES_PER_TURN_MAX);
        let events = events.map_err(|floor| Refusal::expired(self.position, floor))?;
        if events.is_empty() {
            return Ok(None);
        }
        let mut piece = BytesMut::new();
        for event in &events {
            if piece.len() >= limits::CHUNK_BYTES {
                break;
            }
            if let Some((change, json)) = self.select(event)? {
                let has_definitions = std::mem::replace(&mut self.has_definitions, false);
                let object = self.form.alone(&self.selection.kind, &json, has_definitions)?;
                put_line(&mut piece, change, &object);
            }
            self.position = event.revision;
        }
        Ok(Some(piece.freeze()))
    }

    /// How a change looks to this watch, if at all.
    fn select(&self, event: &Event) -> Result<Option<(&'static str, Bytes)>, Refusal> {
        let selection = &self.selection;
        if selection.namespace.as_ref().is_some_and(|namespace| *namespace != event.key.namespace) {
            return Ok(None);
        }
        let shown = |json: &Bytes| crate::events::bytes(&selection.kind, json);
        if selection.selector.is_empty() {
            let change = match event.change {
                Change::Added => "ADDED",
                Change::Modified => "MODIFIED",
                Change::Deleted => "DELETED",
            };
            return Ok(Some((change, shown(&event.json)?)));
        }
        let json = shown(&event.json)?;
        let is_selected =
            event.change != Change::Deleted && selection.selector.matches(&event.key, &json);
        let before = event.before.as_ref().map(shown).transpose()?;
        let was_selected =
            before.as_ref().is_some_and(|before| selection.selector.matches(&event.key, before));
        Ok(match (was_selected, is_selected, before) {
            (false, true, _) => Some(("ADDED", json)),
            (true, true, _) => Some(("MODIFIED", json)),
            (true, false, _) if event.change == Change::Deleted => Some(("DELETED", json)),
            // It left the selection: shown as it was in it, at the version at which it left.
            (true, false, Some(before)) => Some(("DELETED", at_version(&before, event.revision)?)),
            _ => None,
        })
    }

    fn bookmark(&self, is_initial_end: bool) -> Bytes {
        let kind = &self.selection.kind;
        let version = self.position.to_string();
        let mut meta = json!({"resourceVersion": version});
        let object = if self.form.shape == Shape::Table {
            let mut rows = Vec::new();
            if is_initial_end {
                let annotations = json!({"k8s.io/initial-events-end": "true"});
                let metadata = json!({"resourceVersion": version, "annotations": annotations});
                let (kind, api_version) = ("PartialObjectMetadata", "meta.k8s.io/v1");
                let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
                let cells = vec![Value::from(""); self.selection.kind.columns.len()];
                rows.push(json!({"cells": cells, "object": object}));
            }
            json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
                "columnDefinitions": null, "rows": rows,
            })
        } else {
            if is_initial_end {
                meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
            }
            let (name, api_version) = match self.form.shape {
                Shape::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
                _ => (kind.kind.as_str(), kind.api_version()),
            };
            json!({"kind": name, "apiVersion": api_version, "metadata": meta})
        };
        let mut piece = BytesMut::new();
        put_line(&mut piece, "BOOKMARK", object.to_string().as_bytes());
        piece.freeze()
    }
}

fn put_line(piece: &mut BytesMut, change: &str, object: &[u8]) {
    piece.put(&b"{\"type\":\""[..]);
    piece.put(change.as_bytes());
    piece.put(&b"\",\"object\":"[..]);
    piece.put(object);
    piece.put(&b"}\n"[..]);
}

fn error_line(refusal: &Refusal) -> Bytes {
    let mut piece = BytesMut::new();
    put_line(&mut piece, "ERROR", refusal.to_status().to_string().as_bytes());
    piece.freeze()
}

fn at_version(json: &[u8], revision: u64) -> Result<Bytes, Refusal> {
    let mut object = object::parse(json)?;
    let meta = object::meta_mut(&mut object);
    meta.insert("resourceVersion".to_owned(), json!(revision.to_string()));
    Ok(object.to_string().into())
}
