//! A serial device for tests: a pseudo-terminal that can be unplugged, and comes back under its name.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use crate::desk::carry;
use crate::line::{self, Line};

/// A plugged-in adapter; dropped, it is unplugged.
pub(crate) struct Pty {
    link: PathBuf,
    _wire: AbortOnDropHandle<()>,
}

impl Pty {
    /// Plugs in an adapter whose device is `link`; the stream is the board behind it.
    pub(crate) fn plug(link: &Path) -> (Self, UnixStream) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let mut settings = rustix::termios::tcgetattr(&master).unwrap();
        settings.make_raw();
        let now = rustix::termios::OptionalActions::Now;
        rustix::termios::tcsetattr(&master, now, &settings).unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        let device = line::register(File::from(master)).unwrap();
        let (board, far) = UnixStream::pair().unwrap();
        let wire = async move {
            // Ends when the board or whoever opened the device goes.
            let _ = carry(&Line::Device(device), &Line::Socket(far)).await;
        };
        let wire = AbortOnDropHandle::new(tokio::spawn(wire));
        symlink(name.to_str().unwrap(), link).unwrap();
        (Self { link: link.into(), _wire: wire }, board)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        std::fs::remove_file(&self.link).unwrap();
    }
}
