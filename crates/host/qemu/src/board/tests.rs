//! The installed QEMU, started, wired, killed and stopped; its processor stays stopped.

use std::time::Duration;

use wasmbed_catalog::board;

use super::*;
use crate::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(30);

fn config(name: &str, directory: &Path) -> BoardConfig {
    BoardConfig::new(*board(name).unwrap(), name, directory, "127.0.0.1:9")
}

async fn wait(board: &Board, is_wanted: impl FnMut(&BoardStatus) -> bool) -> BoardStatus {
    let mut status = board.status();
    let reached = tokio::time::timeout(PATIENCE, status.wait_for(is_wanted)).await;
    reached.expect("the board gets there").unwrap().clone()
}

fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

#[tokio::test]
async fn every_board_starts_is_wired_and_stops() {
    for facts in wasmbed_catalog::BOARDS {
        let scratch = Scratch::new();
        let board = Board::start(config(facts.name, scratch.path())).await.unwrap();
        let status = wait(&board, |status| status.phase != Phase::Starting).await;
        assert_eq!((status.phase, status.crash), (Phase::Running, None), "{}", facts.name);
        let pid = status.pid.unwrap();
        assert!(is_alive(pid));
        board.stop().await;
        assert!(!is_alive(pid), "{} still runs", facts.name);
    }
    println!("\ncases: {}\n", wasmbed_catalog::BOARDS.len());
}

#[tokio::test]
async fn a_reset_is_counted_and_keeps_the_process() {
    let scratch = Scratch::new();
    let board = Board::start(config("mps2-an385", scratch.path())).await.unwrap();
    let before = wait(&board, |status| status.phase == Phase::Running).await;
    board.reset().await.unwrap();
    let after = wait(&board, |status| status.resets == 1).await;
    assert_eq!((after.pid, after.restarts), (before.pid, 0));
    board.stop().await;
}

#[tokio::test]
async fn a_killed_qemu_is_started_again_and_the_status_says_why() {
    let scratch = Scratch::new();
    let board = Board::start(config("mps2-an385", scratch.path())).await.unwrap();
    let first = wait(&board, |status| status.phase == Phase::Running).await;
    board.kill().await.unwrap();
    let waiting = wait(&board, |status| status.phase == Phase::Waiting).await;
    assert_eq!(waiting.crash.unwrap().to_string(), "qemu ended with signal 9");
    assert!(matches!(board.reset().await, Err(BoardError::NotRunning)));
    let second = wait(&board, |status| status.phase == Phase::Running).await;
    assert_eq!(second.restarts, 1);
    assert_ne!(first.pid, second.pid);
    assert_eq!(board.flash().unwrap().counters().connections, 2);
    board.stop().await;
}

#[tokio::test]
async fn a_board_that_is_not_to_be_restarted_stays_stopped() {
    let scratch = Scratch::new();
    let mut config = config("mps2-an385", scratch.path());
    config.restarts = false;
    let board = Board::start(config).await.unwrap();
    wait(&board, |status| status.phase == Phase::Running).await;
    board.kill().await.unwrap();
    let stopped = wait(&board, |status| status.phase == Phase::Stopped).await;
    assert_eq!((stopped.pid, stopped.restarts), (None, 0));
    board.stop().await;
}

#[tokio::test]
async fn what_qemu_says_about_a_bad_start_is_the_reason() {
    let scratch = Scratch::new();
    let mut config = config("mps2-an385", scratch.path());
    config.extra_arguments = vec!["-device".into(), "no-such-device".into()];
    let board = Board::start(config).await.unwrap();
    let waiting = wait(&board, |status| status.crash.is_some()).await;
    let crash = waiting.crash.unwrap();
    assert_eq!(crash.exit, Some(Exit::Code(1)));
    assert!(crash.message.unwrap().contains("no-such-device"));
    board.stop().await;
}

#[tokio::test]
async fn a_missing_qemu_is_named() {
    let scratch = Scratch::new();
    let mut config = config("mps2-an385", scratch.path());
    config.board.qemu.program = "qemu-system-of-another-planet";
    let board = Board::start(config).await.unwrap();
    let waiting = wait(&board, |status| status.crash.is_some()).await;
    let expected = "qemu did not start: qemu-system-of-another-planet is not installed";
    assert_eq!(waiting.crash.unwrap().to_string(), expected);
    board.stop().await;
}

#[tokio::test]
async fn a_directory_belongs_to_one_board_at_a_time() {
    let scratch = Scratch::new();
    let board = Board::start(config("mps2-an385", scratch.path())).await.unwrap();
    let second = Board::start(config("mps2-an385", scratch.path())).await;
    assert!(matches!(second, Err(BoardError::InUse { .. })));
    board.stop().await;
    let third = Board::start(config("mps2-an385", scratch.path())).await.unwrap();
    third.stop().await;
}

#[tokio::test]
async fn a_long_path_does_not_hinder_the_sockets() {
    let scratch = Scratch::new();
    let directory = scratch.path().join("a".repeat(120));
    let board = Board::start(config("mps2-an385", &directory)).await.unwrap();
    wait(&board, |status| status.phase == Phase::Running).await;
    board.stop().await;
}

#[tokio::test]
async fn a_dropped_board_is_killed() {
    let scratch = Scratch::new();
    let board = Board::start(config("mps2-an385", scratch.path())).await.unwrap();
    let pid = wait(&board, |status| status.phase == Phase::Running).await.pid.unwrap();
    drop(board);
    let is_gone = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_gone).await.expect("it is killed");
}
