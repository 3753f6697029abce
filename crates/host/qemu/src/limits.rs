//! Bounds of what boards, QEMU and the network may make this crate hold, each with its reason.

use std::time::Duration;

/// Longest console line kept whole: what is longer is cut, so that a board cannot fill memory.
pub const CONSOLE_LINE_BYTES_MAX: usize = 1024;

/// Bytes of a console log before it is rotated: two of them are kept, 2 MiB a board.
pub const CONSOLE_LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Console lines kept to explain a crash, and those that a slow reader may be behind.
pub const CONSOLE_LINES_MAX: usize = 256;

/// Bytes of QEMU's own messages kept to explain its end.
pub const QEMU_MESSAGE_BYTES_MAX: usize = 4096;

/// Longest QMP line: the longest ever expected, a register dump, is below 10 KB.
pub const QMP_LINE_BYTES_MAX: usize = 64 * 1024;

/// QMP events held for a slow reader.
pub const QMP_EVENTS_MAX: usize = 64;

/// Time for QEMU to answer a QMP command: it does so in a millisecond unless it is stuck.
pub const QMP_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Time from the start of QEMU to its QMP greeting: about 30 ms on an idle machine.
pub const QEMU_START_TIMEOUT: Duration = Duration::from_secs(20);

/// Time that QEMU has to quit before it is killed.
pub const QEMU_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// First wait before a crashed board is started again.
pub const RESTART_DELAY_MIN: Duration = Duration::from_millis(500);

/// Longest wait before a crashed board is started again; doubled up to it.
pub const RESTART_DELAY_MAX: Duration = Duration::from_secs(30);

/// A board that ran this long has not crashed at start: the next wait is the first again.
pub const RESTART_FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// Shortest and longest Ethernet frame without its checksum; QEMU never sends another.
pub const FRAME_BYTES: core::ops::RangeInclusive<usize> = 14..=1518;

/// Frames from a board held for the relay: more are lost, as on a wire.
pub const FRAMES_MAX: usize = 64;

/// Bytes under way to a board before the relay waits for QEMU.
pub const CABLE_BACKLOG_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a relay's TCP buffer, each way. The Ethernet controller's own memory is 10 KB.
pub const RELAY_BUFFER_BYTES: usize = 8 * 1024;

/// A relayed connection whose board does not answer is dropped after this time.
pub const RELAY_SILENCE_TIMEOUT: Duration = Duration::from_secs(120);

/// Time for the gateway to accept a connection before the board is refused.
pub const GATEWAY_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a capture before it ends: an hour of a busy board.
pub const CAPTURE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Time for a board to take an answer of its flash before its connection is dropped.
pub const FLASH_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest path of a Unix socket that is used as it is; a longer one goes through its directory.
pub const SOCKET_PATH_BYTES_MAX: usize = 100;

/// Bytes read from a gateway and not yet sent to a board on a serial line: one TLS record, since the
/// line takes no more in 40 ms.
pub const UPLINK_READ_BYTES: usize = 512;

/// Bytes of the pipe that carries entropy: the least there is, since what lies in it is of no use to
/// anybody else.
pub const ENTROPY_PIPE_BYTES: usize = 4096;

/// Random bytes written at a time.
pub const ENTROPY_WRITE_BYTES: usize = 256;

/// Bytes under way on each way of a line that delays: the windows of a board, thirty times over. What
/// is more is lost.
pub const LINE_DELAYED_BYTES_MAX: usize = 256 * 1024;

/// Bytes read from a serial line at a time, and so the longest piece in its capture.
pub const LINE_PIECE_BYTES_MAX: usize = 4096;

/// Time between two tries to open a serial device that is not there: a plug takes longer.
pub const LINE_OPEN_INTERVAL: Duration = Duration::from_millis(500);
