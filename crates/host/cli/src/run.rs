//! `wasmbed run --local`: guests on this machine, what they do as lines, and an exit code.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::{Context, Result, anyhow, bail};
use wasmbed_wire::{GuestReason, GuestState};
use wasmbed_workshop::{
    ApplicationFile, BuildOptions, Ending, Event, Input, LocalGuest, LocalOptions, Project, Sensor,
    build, duration, read,
};

use crate::arguments::Run;

/// Exit code of a run with a trap: what a shell makes of an abort.
const TRAPPED: u8 = 134;

/// Exit code of a run in which a guest was refused or killed.
const FAILED: u8 = 1;

/// Runs the guests until they end, the time is over, or Ctrl-C.
pub async fn run(run: &Run) -> Result<ExitCode> {
    if !run.local {
        bail!(
            "`wasmbed run` runs guests on this machine only: add --local. \
             To run one on devices: `wasmbed apply -f app.yaml`"
        );
    }
    let guests = guests(run)?;
    let options = options(run)?;
    let (stop, stopped) = mpsc::channel();
    let interrupt = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            // A run that ended by itself listens no more.
            let _ = interrupt.send(());
        }
    });
    let names: Vec<String> = guests.iter().map(|guest| guest.name.clone()).collect();
    let work = tokio::task::spawn_blocking(move || {
        let mut show = |event: &Event| {
            let line = line(&names, event);
            if writeln!(std::io::stdout(), "{line}").is_err() {
                // Whoever read it has seen enough. The run that calls this is there to hear it.
                let _ = stop.send(());
            }
        };
        wasmbed_workshop::run(&guests, &options, &stopped, &mut show)
    });
    let endings = work.await.context("the run broke off")??;
    for ending in &endings {
        eprintln!("{}", end_line(ending));
    }
    Ok(ExitCode::from(endings.iter().map(exit_code).find(|code| *code != 0).unwrap_or(0)))
}

fn guests(run: &Run) -> Result<Vec<LocalGuest>> {
    let here = [std::path::PathBuf::from(".")];
    let paths = if run.guests.is_empty() { &here[..] } else { &run.guests };
    paths.iter().map(|path| guest(path, run)).collect()
}

/// A guest with what its manifest says, unless the command line says something else.
fn guest(path: &Path, run: &Run) -> Result<LocalGuest> {
    let (name, module, manifest) = if path.is_dir() {
        let project = Project::open(path)?;
        let built = build(&project, &BuildOptions::default())?;
        (project.name.clone(), built.module, project.application_path())
    } else {
        let name = path.file_stem().context("a module needs a name")?.to_string_lossy();
        (name.into_owned(), read(path)?, path.with_file_name("app.yaml"))
    };
    let mut application = ApplicationFile::default();
    if run.grants.is_empty() && manifest.is_file() {
        application = ApplicationFile::read(&manifest)?;
        let grants = application.capabilities.join(", ");
        eprintln!("{name}: granted by {}: {grants}", manifest.display());
    }
    let ApplicationFile { mut capabilities, mut limits, mut args, mut env, .. } = application;
    capabilities.extend(run.grants.iter().cloned());
    limits.fuel = run.fuel.or(limits.fuel);
    limits.recursion_depth = run.recursion_depth.unwrap_or(limits.recursion_depth);
    args.extend(run.args.iter().cloned());
    env.extend(run.env.iter().cloned());
    Ok(LocalGuest { name, module, grants: capabilities, limits, args, env })
}

fn options(run: &Run) -> Result<LocalOptions> {
    let board = wasmbed_catalog::board(&run.board).map_err(|error| anyhow!("{error}"))?;
    let run_for = run.run_for.as_deref().map(|text| {
        duration(text).with_context(|| format!("{text:?} is no duration such as 500ms, 10s or 2m"))
    });
    let mut inputs = Vec::new();
    for text in &run.presses {
        inputs.push(Input::parse_press(text)?);
    }
    for text in &run.messages {
        inputs.push(Input::parse_message(text)?);
    }
    for text in &run.typed {
        inputs.push(Input::parse_uart(text)?);
    }
    let sensors: Result<Vec<Sensor>, _> =
        run.sensors.iter().map(|text| Sensor::parse(text)).collect();
    Ok(LocalOptions {
        board,
        run_for: run_for.transpose()?,
        flash: run.flash.clone(),
        sensors: sensors?,
        inputs,
    })
}

/// What is shown: a log line as it is, everything else in brackets. With several guests, whose.
fn line(names: &[String], event: &Event) -> String {
    let whose = |guest: &usize| match (names.len(), names.get(*guest)) {
        (0 | 1, _) | (_, None) => String::new(),
        (_, Some(name)) => format!("{name}: "),
    };
    match event {
        Event::Log { guest, text } => format!("{}{text}", whose(guest)),
        Event::Telemetry { guest, topic, value } => {
            format!("{}[telemetry {topic} {value}]", whose(guest))
        }
        Event::Message { guest, topic, payload } => {
            let text = String::from_utf8_lossy(payload);
            format!("{}[message {topic} {text:?}]", whose(guest))
        }
        Event::Led { index, is_on } => {
            format!("[led {index} {}]", if *is_on { "on" } else { "off" })
        }
        Event::Uart { index, bytes } => {
            format!("[uart {index} {:?}]", String::from_utf8_lossy(bytes))
        }
        Event::Delivered { topic, is_taken: true } => format!("[given {topic}]"),
        Event::Delivered { topic, is_taken: false } => format!("[nobody took {topic}]"),
        Event::Lost { lines, samples, messages } => format!(
            "[lost so far: {lines} log lines, {samples} telemetry values, {messages} messages]"
        ),
    }
}

fn end_line(ending: &Ending) -> String {
    let Ending { name, fuel, host_calls, .. } = ending;
    let mut text = format!("{name}: {}", ending.state.name());
    if ending.reason != GuestReason::None {
        text += &format!(", {}", ending.reason.name());
    }
    if let Some(code) = ending.exit_code {
        text += &format!(", exit code {code}");
    }
    if let Some(place) = &ending.place {
        text += &format!(", {place}");
    }
    if let Some((needed, available)) = ending.sizes {
        text += &format!(", needs {needed} bytes of RAM, {available} are available");
    }
    if let Some(ram_bytes) = ending.ram_bytes {
        text += &format!(", {ram_bytes} bytes of RAM");
    }
    text + &format!(", {fuel} operators, {host_calls} calls")
}

fn exit_code(ending: &Ending) -> u8 {
    let is_trap = ending.reason.name().starts_with("Trap");
    match (ending.state, ending.exit_code) {
        (_, Some(0)) => 0,
        // A shell knows 8 bits; what is left of a failure must not look like success.
        (GuestState::Finished | GuestState::Failed, Some(code)) => (code as u8).max(FAILED),
        (GuestState::Failed, None) if is_trap => TRAPPED,
        (GuestState::Failed | GuestState::Refused, _) => FAILED,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
