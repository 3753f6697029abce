//! The boards of a run, all of them on one platform: they mostly wait, so they do it together.

use std::any::Any;
use std::thread;

use wasmbed_catalog::Board;

use crate::cli::Cli;
use crate::modules;
use crate::platform::boards;

/// One board of the run, and the Device that it enrolled as.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the board file says.
    pub board: &'static Board,
    /// Name of the Device.
    pub device: String,
}

impl Member {
    /// Name of the VirtualDevice, which is the Device's alias.
    pub fn name(&self) -> &'static str {
        self.board.name
    }

    /// The VirtualDevice, for `wasmbed get`.
    pub fn emulated(&self) -> String {
        format!("virtualdevice/{}", self.name())
    }

    /// The Device, for `wasmbed get`.
    pub fn object(&self) -> String {
        format!("device/{}", self.device)
    }

    /// Its Application, named like the board.
    pub fn application(&self) -> String {
        format!("application/{}", self.name())
    }
}

/// Boots all boards of this run at once.
///
/// # Panics
/// If one of them does not enrol.
#[track_caller]
pub fn boot(cli: &Cli) -> Vec<Member> {
    for board in boards() {
        cli.apply(&modules::virtual_device(board.name, board.name));
    }
    let boot = |board: &'static Board| Member { board, device: cli.boot_known(board.name) };
    boards().into_iter().map(boot).collect()
}

/// Does something with each board, with all of them at once.
///
/// # Panics
/// If it panics for one of them, after all have ended; the message names them.
#[track_caller]
pub fn each(members: &[Member], act: impl Fn(&Member) + Sync) {
    let outcomes = outcomes(members, act);
    let failed = members.iter().zip(&outcomes).filter_map(|(member, outcome)| {
        let why = outcome.as_ref().err()?.lines().next().unwrap_or_default();
        Some(format!("{}: {why}", member.name()))
    });
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The same, and says for which boards it panicked and why.
pub fn outcomes(members: &[Member], act: impl Fn(&Member) + Sync) -> Vec<Result<(), String>> {
    let act = &act;
    thread::scope(|scope| {
        let start = |member| {
            let named = thread::Builder::new().name(Member::name(member).to_owned());
            let started = named.spawn_scoped(scope, move || act(member));
            started.unwrap_or_else(|error| panic!("{error}"))
        };
        let running: Vec<_> = members.iter().map(start).collect();
        running.into_iter().map(|thread| thread.join().map_err(|why| message(&*why))).collect()
    })
}

/// What a panic said.
fn message(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| why.downcast_ref().cloned()).unwrap_or_else(|| "panicked".into())
}
