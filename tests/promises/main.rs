//! The five promises of the project, each tried on every board of the run and with both API servers.
//!
//! All boards run on one platform for each API server. A promise that does not hold on a board is
//! written down with its reason, and the others are tried all the same; what came of it is what
//! `cargo xtask test promises` writes into docs/status.md.

mod boot;
mod enrollment;
mod execution;
mod tls;
mod workflow;

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use wasmbed_tests::control_plane::ControlPlane;
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, boards, path};

/// What came of one promise on each board.
struct Kept {
    promise: u8,
    outcomes: Vec<Result<(), String>>,
}

#[test]
fn every_promise_is_kept_on_every_board_with_the_embedded_api_server() {
    if results_folder().is_some() {
        run("embedded", None);
    }
}

#[test]
fn every_promise_is_kept_on_every_board_with_a_real_kube_apiserver() {
    if results_folder().is_none() {
        return;
    }
    let Some(programs) = std::env::var_os("WASMBED_KUBERNETES") else {
        println!("\nskipped: no kube-apiserver was built");
        return;
    };
    let plane = ControlPlane::start("promises-plane", programs.as_ref());
    run("kube-apiserver", Some(&plane.kubeconfig()));
}

/// Folder that the outcomes are written to.
fn results_folder() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("WASMBED_PROMISES").map(Into::into);
    if folder.is_none() {
        println!("\nskipped: run by `cargo xtask test promises`");
    }
    folder
}

/// Tries everything with one API server, writes down what came of it, and fails where something did.
fn run(server: &str, cluster: Option<&Path>) {
    let name = format!("promises-{server}");
    let platform = Platform::start_recorded(&name, "WASMBED_BIN_KEYLOG", cluster);
    for board in boards() {
        platform.apply(&modules::virtual_device(board.name, board.name));
    }
    // A board that does not enrol is none of the reasons not to try the others.
    let unknown = |board| Member { board, device: String::new() };
    let mut members: Vec<Member> = boards().into_iter().map(unknown).collect();
    let mut kept = vec![tried(1, &members, |member| boot::check(&platform, member))];
    for member in &mut members {
        let status = platform.get(&member.emulated())["status"].clone();
        member.device = status["device"].as_str().unwrap_or_default().to_owned();
    }
    kept.push(tried(3, &members, |member| execution::check(&platform, member)));
    kept.push(tried(5, &members, |member| workflow::check(&platform, member)));
    let keys = enrollment::keys(&platform, &members);
    kept.push(tried(4, &members, |member| enrollment::check(&platform, member, &keys)));
    let known: Vec<tls::Known> =
        members.iter().map(|member| tls::known(&platform, member)).collect();
    // A capture is whole when the platform has ended.
    let recording = platform.stop_and_take_recording();
    kept.push(tried(2, &members, |member| {
        let known = known.iter().find(|known| known.board == member.name());
        tls::check(&recording, known.unwrap_or_else(|| panic!("not known")));
    }));
    kept.sort_by_key(|kept| kept.promise);
    report(server, &members, &kept);
}

fn tried(promise: u8, members: &[Member], check: impl Fn(&Member) + Sync) -> Kept {
    let start = Instant::now();
    let outcomes = fleet::outcomes(members, check);
    println!("promise {promise}: {:.1} s", start.elapsed().as_secs_f32());
    Kept { promise, outcomes }
}

/// Writes the outcomes down.
fn report(server: &str, members: &[Member], kept: &[Kept]) {
    let mut cells = Vec::new();
    let mut failures = Vec::new();
    for Kept { promise, outcomes } in kept {
        for (member, outcome) in members.iter().zip(outcomes) {
            // One line of a table: what was wrong, not everything the platform said then.
            let why = outcome.as_ref().err().map(|why| why.lines().next().unwrap_or_default());
            cells.push(json!({"promise": promise, "board": member.name(), "failure": why}));
            if let Err(why) = outcome {
                failures.push(format!("promise {promise} on {}: {why}", member.name()));
            }
        }
    }
    let file = path("WASMBED_PROMISES").join(format!("{server}.json"));
    let text = json!({"server": server, "cells": cells}).to_string();
    std::fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    println!("\ncases: {}", cells.len());
}
