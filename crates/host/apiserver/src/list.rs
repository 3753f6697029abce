//! Reads of one object and of lists. A long list is sent piece by piece from one snapshot.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::events;
use crate::kind::{Kind, View};
use crate::limits;
use crate::reply::{self, Reply};
use crate::request::{Asked, Target};
use crate::selector::Selector;
use crate::server::Core;
use crate::status::{Cause, Refusal};
use crate::store::{Key, Range, Snapshot};
use crate::table::{self, Form};
use crate::write::key_of;

/// GET of one object.
pub(crate) fn get(
    core: &Core,
    asked: &Asked,
    kind: &Kind,
    target: &Target,
) -> Result<Reply, Refusal> {
    let key = key_of(kind, target);
    let stored = core.store.get(&key).map_err(Refusal::internal)?;
    let stored = stored.ok_or_else(|| Refusal::not_found(kind, &key.name))?;
    check_version(asked, core.store.revision())?;
    let json = events::bytes(kind, &stored.json)?;
    Ok(reply::bytes(StatusCode::OK, table::one(asked, kind, &json)?))
}

/// Refuses to answer from before the version that the client knows.
pub(crate) fn check_version(asked: &Asked, current: u64) -> Result<(), Refusal> {
    let Some(wanted) = asked.query.number("resourceVersion")? else { return Ok(()) };
    if wanted <= current {
        return Ok(());
    }
    let message = format!("Too large resource version: {wanted}, current: {current}");
    let cause = Cause {
        reason: "ResourceVersionTooLarge",
        message: "Too large resource version".to_owned(),
        field: String::new(),
    };
    Err(Refusal::new(504, "Timeout", format!("Timeout: {message}")).with_causes(&[cause]))
}

/// Where the next page begins.
#[derive(Deserialize, Serialize)]
struct Continue {
    #[serde(rename = "rv")]
    revision: u64,
    namespace: String,
    name: String,
}

/// Which objects a list or the start of a watch covers.
pub(crate) struct Selection {
    pub(crate) kind: Arc<Kind>,
    pub(crate) namespace: Option<String>,
    pub(crate) selector: Selector,
}

impl Selection {
    /// Reads path and selectors.
    pub(crate) fn of(asked: &Asked, kind: &Arc<Kind>, target: &Target) -> Result<Self, Refusal> {
        let mut fields = asked.query.value("fieldSelector").to_owned();
        if let Some(name) = &target.name {
            fields = format!("metadata.name={name},{fields}");
        }
        Ok(Self {
            kind: kind.clone(),
            namespace: target.namespace.clone(),
            selector: Selector::parse(kind, asked.query.value("labelSelector"), &fields)?,
        })
    }

    /// The object's bytes as its kind shows them, if it is selected.
    pub(crate) fn show(&self, key: &Key, json: &[u8]) -> Option<Bytes> {
        if self.kind.view == View::Stored {
            return self.selector.matches(key, json).then(|| Bytes::copy_from_slice(json));
        }
        let shown = events::bytes(&self.kind, &Bytes::copy_from_slice(json)).ok()?;
        self.selector.matches(key, &shown).then_some(shown)
    }
}

/// A pass over the selected objects of one snapshot.
pub(crate) struct Pass {
    pub(crate) snapshot: Snapshot,
    range: Range,
    is_done: bool,
}

impl Pass {
    /// A pass from the first object on.
    pub(crate) fn new(core: &Core, selection: &Selection) -> Result<Self, Refusal> {
        let snapshot = core.store.snapshot().map_err(Refusal::internal)?;
        let place = selection.namespace.as_deref();
        let place = if selection.kind.is_namespaced { place } else { Some("") };
        let mut range = Range::new(&selection.kind.resource, place);
        if let (Some(_), Some(name)) = (place, selection.selector.name()) {
            range.narrow(name);
        }
        Ok(Self { snapshot, range, is_done: false })
    }

    /// True if there are no further objects.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes selected objects until `take` answers false or the range is exhausted.
    pub(crate) fn advance(
        &mut self,
        selection: &Selection,
        mut take: impl FnMut(&Key, Bytes) -> bool,
    ) -> Result<(), Refusal> {
        let mut last = None;
        let is_done = self
            .snapshot
            .scan(&self.range, |key, json| {
                let goes_on = selection.show(&key, json).is_none_or(|shown| take(&key, shown));
                last = Some(key);
                goes_on
            })
            .map_err(Refusal::internal)?;
        if let Some(last) = &last {
            self.range.go_on_after(last);
        }
        self.is_done = is_done;
        Ok(())
    }
}

/// A list being sent.
struct Listing {
    pass: Pass,
    selection: Selection,
    form: Form,
    remaining: usize,
    revision: u64,
    last: Option<Key>,
    has_items: bool,
    is_over: bool,
}

impl Listing {
    fn piece(&mut self) -> Result<Bytes, Refusal> {
        let mut piece = BytesMut::with_capacity(4096);
        let mut failure = None;
        let (form, kind) = (self.form, self.selection.kind.clone());
        let (remaining, last, has_items) =
            (&mut self.remaining, &mut self.last, &mut self.has_items);
        self.pass.advance(&self.selection, |key, json| {
            match form.item(&kind, &json) {
                Ok(item) => {
                    if std::mem::replace(has_items, true) {
                        piece.put_u8(b',');
                    }
                    piece.put(item);
                }
                Err(refusal) => failure = Some(refusal),
            }
            *remaining -= 1;
            *last = Some(key.clone());
            failure.is_none() && *remaining > 0 && piece.len() < limits::CHUNK_BYTES
        })?;
        if let Some(refusal) = failure {
            return Err(refusal);
        }
        if self.pass.is_done() || self.remaining == 0 {
            self.is_over = true;
            piece.put(self.tail().as_bytes());
        }
        Ok(piece.freeze())
    }

    fn tail(&mut self) -> String {
        let mut meta = json!({"resourceVersion": self.revision.to_string()});
        // An exactly full last page leads to an empty one, as in Kubernetes' own etcd lists.
        if !self.pass.is_done()
            && let Some(last) = self.last.take()
        {
            let token =
                Continue { revision: self.revision, namespace: last.namespace, name: last.name };
            let token = serde_json::to_vec(&token).unwrap_or_default();
            meta["continue"] = json!(URL_SAFE_NO_PAD.encode(token));
        }
        format!("],\"metadata\":{meta}}}")
    }
}

/// GET of a collection.
pub(crate) fn list(
    core: &Core,
    asked: &Asked,
    kind: &Arc<Kind>,
    target: &Target,
) -> Result<Reply, Refusal> {
    let form = Form::of(asked)?;
    let selection = Selection::of(asked, kind, target)?;
    let limit = asked.query.number("limit")?.filter(|&limit| limit > 0);
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut pass = Pass::new(core, &selection)?;
    let mut revision = pass.snapshot.revision;
    if let Some(token) = token_of(asked)? {
        revision = token.revision;
        let (namespace, name) = (token.namespace, token.name);
        pass.range.go_on_after(&Key { resource: kind.resource.clone(), namespace, name });
    } else {
        check_match(asked)?;
        check_version(asked, revision)?;
        let wanted = asked.query.number("resourceVersion")?.unwrap_or(revision);
        if asked.query.value("resourceVersionMatch") == "Exact" && wanted != revision {
            return Err(Refusal::expired(wanted, revision));
        }
    }
    let remaining = if limit == usize::MAX { limit } else { limit.min(limits::PAGE_OBJECTS_MAX) };
    let (last, has_items, is_over) = (None, false, false);
    let mut listing =
        Listing { pass, selection, form, remaining, revision, last, has_items, is_over };
    let mut first = BytesMut::from(form.head(kind).as_bytes());
    first.put(listing.piece()?);
    let first = first.freeze();
    if listing.is_over {
        return Ok(reply::bytes(StatusCode::OK, first));
    }
    Ok(reply::stream(futures::stream::unfold(
        (Some(first), listing),
        |(first, mut listing)| async move {
            if let Some(first) = first {
                return Some((Ok(first), (None, listing)));
            }
            if listing.is_over {
                return None;
            }
            // Other tasks of this thread come in between two pieces.
            tokio::task::yield_now().await;
            let piece = listing.piece().map_err(|refusal| refusal.message.into());
            if piece.is_err() {
                listing.is_over = true;
            }
            Some((piece, (None, listing)))
        },
    )))
}

fn check_match(asked: &Asked) -> Result<(), Refusal> {
    let version = asked.query.value("resourceVersion");
    let why = match asked.query.value("resourceVersionMatch") {
        "" => return Ok(()),
        _ if version.is_empty() => {
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless \
             resourceVersion is provided"
        }
        "Exact" if version == "0" => {
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for \
             resourceVersion \"0\""
        }
        "Exact" | "NotOlderThan" => return Ok(()),
        _ => {
            "resourceVersionMatch: Unsupported value: supported values: \"Exact\", \
             \"NotOlderThan\", \"\""
        }
    };
    Err(Refusal::invalid_options("ListOptions", why))
}

fn token_of(asked: &Asked) -> Result<Option<Continue>, Refusal> {
    let text = asked.query.value("continue");
    if text.is_empty() {
        return Ok(None);
    }
    let token =
        URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| serde_json::from_slice(&json).ok());
    token.map(Some).ok_or_else(|| Refusal::bad_request("continue key is not valid"))
}
