//! What a recorded platform leaves behind: captures of its boards, secrets of its sessions, and the
//! certificate of its authority.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::capture::{self, Capture};
use crate::platform::Platform;
use crate::tls_records::{self, KeyLog, Session};

/// A recorded platform that has ended.
pub struct Recording {
    /// Keeps the folder.
    platform: Platform,
    log: KeyLog,
}

impl Recording {
    /// What a platform that has ended left.
    ///
    /// # Panics
    /// If there is no key log.
    pub(crate) fn of(platform: Platform) -> Self {
        let text = read(platform.key_log().unwrap_or(Path::new("no key log was asked for")));
        let log = KeyLog::parse(&String::from_utf8_lossy(&text));
        Self { platform, log: log.unwrap_or_else(|why| panic!("{why}")) }
    }

    fn file(&self, uid: &str) -> PathBuf {
        self.platform.folder().join("boards").join(uid).join("wire.pcap")
    }

    /// The capture of a VirtualDevice's cable or serial line, as the file has it.
    ///
    /// # Panics
    /// If there is none.
    pub fn bytes(&self, uid: &str) -> Vec<u8> {
        read(&self.file(uid))
    }

    /// The same, put together.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn capture(&self, uid: &str) -> Result<Capture, String> {
        let file = self.file(uid);
        let bytes = std::fs::read(&file).map_err(|why| format!("{}: {why}", file.display()))?;
        capture::parse(&bytes)
    }

    /// The sessions of a capture, decrypted. A connection that the gateway never answered is none.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn sessions(&self, capture: &Capture) -> Result<Vec<Session>, String> {
        let answered = |one: &&capture::Connection| !one.received.bytes.is_empty();
        let answered = capture.connections.iter().filter(answered);
        answered.map(|connection| tls_records::decrypt(connection, &self.log)).collect()
    }

    /// DER of the fleet authority's certificate, which devices pin the key of.
    ///
    /// # Panics
    /// If the platform kept none.
    pub fn authority(&self) -> Vec<u8> {
        let text = read(&self.platform.folder().join("pki/fleet-ca.pem"));
        let text = String::from_utf8_lossy(&text).into_owned();
        let body = text
            .split_once("-----BEGIN CERTIFICATE-----")
            .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"));
        let body = body.map(|(body, _)| body.split_whitespace().collect::<String>());
        STANDARD.decode(body.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
