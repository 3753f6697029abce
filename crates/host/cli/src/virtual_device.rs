//! `wasmbed connect`, `disconnect`, `power` and `reset`: a VirtualDevice as one has a board on a desk.
//!
//! Each changes the spec and waits until the QEMU manager has followed.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::apply::merge;
use crate::arguments::{Connect, Follow, Partition, Power, PowerCommand, Scope, Target};
use crate::client::{self, Connection};
use crate::get::fetch;
use crate::kinds::{self, Kind};
use crate::output::outln;
use crate::wait::{State, parse_duration, until};

#[cfg(test)]
mod tests;

/// One VirtualDevice, and how long it may take to follow.
struct Board {
    connection: Connection,
    kind: Kind,
    name: String,
    patience: Duration,
}

impl Board {
    async fn named(scope: &Scope, follow: &Follow) -> Result<Self> {
        let patience = parse_duration(&follow.timeout)?;
        let (kind, name) = parse(&follow.target)?;
        Ok(Self { connection: client::connect(scope).await?, kind, name, patience })
    }

    fn path(&self) -> String {
        self.kind.path(Some(&self.connection.namespace), Some(&self.name))
    }

    /// Changes the spec; answers its generation.
    async fn change(&self, spec: Value) -> Result<i64> {
        let after = merge(&self.connection, &self.path(), &json!({ "spec": spec })).await?;
        Ok(after["metadata"]["generation"].as_i64().unwrap_or_default())
    }

    async fn wait(&self, state: &State) -> Result<()> {
        let waiting = until(&self.connection, self.kind, &self.name, state);
        match tokio::time::timeout(self.patience, waiting).await {
            Ok(reached) => reached,
            Err(_) => bail!(
                "the change is stored, but {} has not followed it: is a QEMU manager running?",
                self.kind.object_name(&self.name)
            ),
        }
    }

    async fn change_and_wait(&self, spec: Value) -> Result<()> {
        let generation = self.change(spec).await?;
        self.wait(&State::Observed(generation)).await
    }

    async fn power(&self, power: &str, powered: &str) -> Result<()> {
        let generation = self.change(json!({ "power": power })).await?;
        self.wait(&State::Observed(generation)).await?;
        self.wait(&State::Condition("powered".into(), powered.into())).await
    }

    fn say(&self, done: &str) -> Result<ExitCode> {
        outln!("{} {done}", self.kind.object_name(&self.name));
        Ok(ExitCode::SUCCESS)
    }
}

/// The VirtualDevice that is meant.
pub fn parse(target: &Target) -> Result<(Kind, String)> {
    let (kind, name) = kinds::parse_target(&target.word(), "virtualdevice")?;
    if kind.kind != "VirtualDevice" {
        bail!("{} {name:?} is not emulated: name a virtualdevice", kind.kind);
    }
    Ok((kind, name))
}

/// Plugs the line in, as good or bad as the options say.
pub async fn connect(scope: &Scope, connect: &Connect) -> Result<ExitCode> {
    let line = line(connect)?;
    let board = Board::named(scope, &connect.follow).await?;
    let is_bad = line.is_object();
    board.change_and_wait(json!({ "cable": "In", "line": line })).await?;
    board.say(if is_bad { "connected, over a bad line" } else { "connected" })
}

/// Pulls the line out.
pub async fn disconnect(scope: &Scope, follow: &Follow) -> Result<ExitCode> {
    let board = Board::named(scope, follow).await?;
    board.change_and_wait(json!({ "cable": "Out" })).await?;
    board.say("disconnected")
}

/// Gives power, cuts it, or both in turn.
pub async fn power(scope: &Scope, power: &Power) -> Result<ExitCode> {
    let (follow, is_cut, is_given, done) = match &power.command {
        PowerCommand::On(follow) => (follow, false, true, "powered on"),
        PowerCommand::Off(follow) => (follow, true, false, "powered off"),
        PowerCommand::Cycle(follow) => (follow, true, true, "power-cycled"),
    };
    let board = Board::named(scope, follow).await?;
    if is_cut {
        board.power("Off", "false").await?;
    }
    if is_given {
        board.power("On", "true").await?;
    }
    board.say(done)
}

/// Presses the reset button once.
pub async fn reset(scope: &Scope, follow: &Follow) -> Result<ExitCode> {
    let board = Board::named(scope, follow).await?;
    let before = fetch(&board.connection.client, &board.path(), "application/json").await?;
    if before["spec"]["power"] == "Off" {
        bail!("{} has no power to be reset", board.kind.object_name(&board.name));
    }
    let reset_at = later(jiff::Timestamp::now(), before["spec"]["resetAt"].as_str());
    board.change(json!({ "resetAt": reset_at })).await?;
    let followed = State::JsonPath("{.status.resetAt}".into(), Some(reset_at));
    board.wait(&followed).await?;
    board.say("reset")
}

/// This second, or the one after the last reset where that was in the same one: only a change counts.
fn later(now: jiff::Timestamp, last: Option<&str>) -> String {
    let last = last.and_then(|last| last.parse::<jiff::Timestamp>().ok());
    let seconds = last.map_or(i64::MIN, |last| last.as_second() + 1).max(now.as_second());
    jiff::Timestamp::from_second(seconds).unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `spec.line`: every field, so that those of an earlier command are gone; null for a perfect line.
fn line(connect: &Connect) -> Result<Value> {
    let milliseconds = |option: &Option<String>| -> Result<Option<u64>> {
        let Some(text) = option else { return Ok(None) };
        if text.ends_with(|last: char| last.is_ascii_digit()) {
            bail!("{text:?} has no unit: use ms or s");
        }
        Ok(Some(u64::try_from(parse_duration(text)?.as_millis()).context("too long a time")?))
    };
    let percent = |option: &Option<String>| {
        option.as_ref().map(|text| format!("{}%", text.strip_suffix('%').unwrap_or(text)))
    };
    let partition = connect.partition.map(|partition| match partition {
        Partition::Up => "Up",
        Partition::Down => "Down",
        Partition::Both => "Both",
    });
    let fields = [
        ("loss", percent(&connect.loss).into()),
        ("duplicate", percent(&connect.duplicate).into()),
        ("corrupt", percent(&connect.corrupt).into()),
        ("delayMs", milliseconds(&connect.delay)?.into()),
        ("jitterMs", milliseconds(&connect.jitter)?.into()),
        ("partition", partition.into()),
        ("seed", connect.seed.into()),
    ];
    if fields.iter().all(|(_, value): &(&str, Value)| value.is_null()) {
        return Ok(Value::Null);
    }
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Value::Object(fields.collect::<Map<String, Value>>()))
}
