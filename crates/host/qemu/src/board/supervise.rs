//! Starts QEMU, and again when it ends: sooner at first, ever later if it keeps ending.

use std::os::unix::net::UnixListener as HostListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{future, io};

use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::run::{self, Ending, Wiring};
use super::{BoardConfig, BoardError, BoardStatus, Crash, Phase};
use crate::console::Console;
use crate::flash::FlashServer;
use crate::leftover;
use crate::limits::{RESTART_DELAY_MAX, RESTART_DELAY_MIN, RESTART_FORGIVEN_AFTER};
use crate::uplink::Uplink;

/// What a board can be told; the answer goes to the sender within.
pub(super) enum Order {
    Reset(oneshot::Sender<Result<(), BoardError>>),
    Kill(oneshot::Sender<Result<(), BoardError>>),
}

impl Order {
    pub(super) fn refuse(self) {
        let (Self::Reset(done) | Self::Kill(done)) = self;
        // Whoever asked may have gone.
        let _ = done.send(Err(BoardError::NotRunning));
    }
}

pub(super) struct Supervisor {
    wiring: Wiring,
    orders: mpsc::Receiver<Order>,
}

impl Supervisor {
    pub(super) fn new(
        config: BoardConfig,
        qmp: HostListener,
        console: Console,
        flash: Option<Arc<FlashServer>>,
        uplink: Option<Arc<Uplink>>,
        orders: mpsc::Receiver<Order>,
        temperatures: watch::Receiver<Vec<i32>>,
    ) -> io::Result<(Self, watch::Receiver<BoardStatus>)> {
        qmp.set_nonblocking(true)?;
        let qmp = UnixListener::from_std(qmp)?;
        let (status, seen) = watch::channel(BoardStatus {
            phase: Phase::Starting,
            pid: None,
            restarts: 0,
            resets: 0,
            crash: None,
            restart_delay: None,
        });
        Ok((
            Self {
                wiring: Wiring { config, qmp, console, flash, uplink, status, temperatures },
                orders,
            },
            seen,
        ))
    }

    /// Runs until nobody can give orders any more, or QEMU ended and is not to be restarted.
    pub(super) async fn run(mut self) {
        let mut delay = RESTART_DELAY_MIN;
        loop {
            let started = Instant::now();
            let ending = run::run(&self.wiring, &mut self.orders).await;
            leftover::forget(&self.wiring.config.directory);
            self.wiring.console.end_line();
            let Ending::Crashed(crash) = ending else { break };
            tracing::warn!(board = self.wiring.config.name, %crash, "board ended");
            if started.elapsed() >= RESTART_FORGIVEN_AFTER {
                delay = RESTART_DELAY_MIN;
            }
            if !self.wait(crash, delay).await {
                break;
            }
            delay = (delay * 2).min(RESTART_DELAY_MAX);
        }
        self.wiring.status.send_modify(|status| {
            (status.phase, status.pid, status.restart_delay) = (Phase::Stopped, None, None);
        });
        // The status stays readable until the board is stopped.
        while let Some(order) = self.orders.recv().await {
            order.refuse();
        }
    }

    /// Waits before the next start; false if there shall be none.
    async fn wait(&mut self, crash: Crash, delay: Duration) -> bool {
        let restarts = self.wiring.config.restarts;
        self.wiring.status.send_modify(|status| {
            status.pid = None;
            status.crash = Some(crash);
            status.phase = if restarts { Phase::Waiting } else { Phase::Stopped };
            status.restart_delay = restarts.then_some(delay);
        });
        if !restarts {
            return false;
        }
        let mut over = std::pin::pin!(tokio::time::sleep(delay));
        loop {
            tokio::select! {
                () = &mut over => break,
                order = self.orders.recv() => match order {
                    Some(order) => order.refuse(),
                    None => return false,
                }
            }
        }
        self.wiring.status.send_modify(|status| {
            status.restarts += 1;
            status.restart_delay = None;
            status.phase = Phase::Starting;
        });
        true
    }
}

/// Waits for ever; used where there is nothing to wait for.
pub(super) async fn never<T>() -> T {
    future::pending().await
}
