//! A manager that is killed leaves no process behind, and its successor goes on.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};
use wasmbed_qemu::{Board, BoardConfig, Phase};

/// Set for the process that plays the manager.
const DIRECTORY: &str = "WASMBED_TEST_MANAGER_DIRECTORY";

async fn start(directory: PathBuf) -> (Board, u32) {
    let facts = *wasmbed_catalog::board("mps2-an385").unwrap();
    let board = Board::start(BoardConfig::new(facts, "one", &directory, "127.0.0.1:9")).await;
    let board = board.unwrap();
    let mut status = board.status();
    let running = status.wait_for(|status| status.phase == Phase::Running);
    let running = tokio::time::timeout(Duration::from_secs(30), running).await;
    let pid = running.unwrap().unwrap().pid.unwrap();
    (board, pid)
}

/// Does nothing unless it was started by the test below.
#[tokio::test]
async fn manager() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (_board, pid) = start(directory.into()).await;
    println!("\nrunning {pid}");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_manager_leaves_nothing_behind() {
    let name = format!("wasmbed-killed-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let mut cases = 0;
    for _ in 0..3 {
        let mut manager = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "manager", "--nocapture"])
            .env(DIRECTORY, &directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(manager.stdout.take().unwrap()).lines();
        let mut pids = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("running ").and_then(|pid| pid.parse::<i32>().ok())
        });
        let pid = Pid::from_raw(pids.next().expect("the manager says what it started")).unwrap();
        let qemu = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
        manager.kill().unwrap();
        manager.wait().unwrap();
        let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
        let mut ended = [PollFd::new(&qemu, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut ended, Some(&patience)), Ok(1), "qemu still runs");
        cases += 1;
    }
    let (board, _) = start(directory.clone()).await;
    board.stop().await;
    std::fs::remove_dir_all(&directory).unwrap();
    println!("\ncases: {}\n", cases + 1);
}
