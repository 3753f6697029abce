//! `wasmbed wait`: by watching, never by asking again and again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{AsyncBufReadExt, StreamExt};
use serde_json::Value;

use crate::arguments::{Scope, Wait};
use crate::client::{Connection, connect};
use crate::get::fetch;
use crate::kinds::{self, Kind};
use crate::output;
use crate::output::outln;

/// What is waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// A condition of the status has this value.
    Condition(String, String),
    /// The object is gone.
    Deleted,
    /// The object exists.
    Created,
    /// The status speaks of this generation of the spec, or a later one.
    Observed(i64),
    /// A template gives this text, or any text.
    JsonPath(String, Option<String>),
}

impl State {
    /// Reads the value of `--for`.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(condition) = text.strip_prefix("condition=") {
            let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
            return Ok(Self::Condition(name.to_lowercase(), value.to_lowercase()));
        }
        if let Some(path) = text.strip_prefix("jsonpath=") {
            let (template, value) = match path.rsplit_once("}=") {
                Some((template, value)) => (format!("{template}}}"), Some(value.to_owned())),
                None => (path.to_owned(), None),
            };
            return Ok(Self::JsonPath(template.trim_matches('\'').to_owned(), value));
        }
        match text {
            "delete" => Ok(Self::Deleted),
            "create" => Ok(Self::Created),
            _ => bail!(
                "unknown state {text:?}; there are: condition=NAME[=VALUE], delete, create, jsonpath={{.path}}[=VALUE]"
            ),
        }
    }

    /// Whether the object, if there is one, is in this state.
    pub fn holds(&self, object: Option<&Value>) -> Result<bool> {
        let Some(object) = object else { return Ok(*self == Self::Deleted) };
        Ok(match self {
            Self::Deleted => false,
            Self::Created => true,
            Self::Observed(generation) => {
                object["status"]["observedGeneration"].as_i64() >= Some(*generation)
            }
            Self::JsonPath(template, wanted) => {
                let text = output::json_path(template, object)?;
                wanted.as_ref().map_or(!text.is_empty(), |wanted| *wanted == text)
            }
            Self::Condition(name, value) => {
                let generation = object["metadata"]["generation"].as_i64();
                let conditions = object["status"]["conditions"].as_array();
                conditions.into_iter().flatten().any(|condition| {
                    let text = |key: &str| condition[key].as_str().unwrap_or("").to_lowercase();
                    // A condition about an older spec says nothing about this one.
                    let observed = condition["observedGeneration"].as_i64().or(generation);
                    text("type") == *name && text("status") == *value && observed >= generation
                })
            }
        })
    }
}

/// Waits for every object named.
pub async fn run(scope: &Scope, wait: &Wait) -> Result<ExitCode> {
    let state = State::parse(&wait.state)?;
    let limit = parse_duration(&wait.timeout)?;
    let wanted = kinds::parse_words(&wait.what)?;
    let connection = connect(scope).await?;
    let word = match &state {
        State::Deleted => "deleted",
        _ => "condition met",
    };
    for (kind, names) in wanted {
        if names.is_empty() {
            bail!("name the {} to wait for", kind.plural);
        }
        for name in names {
            let text = kind.object_name(&name);
            match tokio::time::timeout(limit, until(&connection, kind, &name, &state)).await {
                Ok(result) => result?,
                Err(_) => bail!("timed out waiting for the condition on {text}"),
            }
            outln!("{text} {word}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns when the object is in the state. Bound it with a timeout.
pub async fn until(connection: &Connection, kind: Kind, name: &str, state: &State) -> Result<()> {
    let list = kind.path(Some(&connection.namespace), None);
    let selector = format!("fieldSelector=metadata.name%3D{name}");
    loop {
        let path = format!("{list}?{selector}");
        let found = fetch(&connection.client, &path, "application/json").await?;
        let item = found["items"].as_array().and_then(|items| items.first());
        if item.is_none() && !matches!(state, State::Deleted | State::Created) {
            bail!("{} {name:?} not found", kind.plural);
        }
        if state.holds(item)? {
            return Ok(());
        }
        let version = found["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let path = format!("{list}?watch=true&resourceVersion={version}&{selector}");
        let request = http::Request::get(path).body(Vec::new())?;
        let mut lines = connection.client.request_stream(request).await?.lines();
        while let Some(line) = lines.next().await {
            let event: Value = serde_json::from_str(&line.context("the watch broke off")?)?;
            let object = match event["type"].as_str() {
                Some("DELETED") => None,
                Some("ADDED" | "MODIFIED") => Some(&event["object"]),
                // An expired watch: list again.
                Some("ERROR") => break,
                _ => continue,
            };
            if state.holds(object)? {
                return Ok(());
            }
            if object.is_none() && !matches!(state, State::Created) {
                bail!("{} {name:?} was deleted", kind.plural);
            }
        }
    }
}

/// Reads `90s`, `2m`, `1h30m`, `50ms`, or plain seconds.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let mut total = Duration::ZERO;
    let mut digits = String::new();
    let mut units = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let count: u64 = digits.parse().with_context(|| format!("invalid duration {text:?}"))?;
        digits.clear();
        units += 1;
        total += match character {
            's' => Duration::from_secs(count),
            'm' if characters.next_if_eq(&'s').is_some() => Duration::from_millis(count),
            'm' => Duration::from_secs(count.saturating_mul(60)),
            'h' => Duration::from_secs(count.saturating_mul(3600)),
            _ => bail!("invalid duration {text:?}: use ms, s, m and h"),
        };
    }
    match (digits.is_empty(), units) {
        (true, 1..) => Ok(total),
        (false, 0) => Ok(Duration::from_secs(digits.parse()?)),
        _ => bail!("invalid duration {text:?}: use ms, s, m and h"),
    }
}

#[cfg(test)]
mod tests;
