//! The secrets of a session, for a test that decrypts what was captured on the wire.

/// A label of the NSS key log format with its secret.
///
/// # Source
/// draft-ietf-tls-keylogfile-05, section 2.1.
pub type Line = (&'static str, [u8; 32]);

/// Labels in the order in which [`KeyLog`] keeps their secrets.
pub(crate) const LABELS: [&str; 4] = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
];

/// What one session would add to a key log file.
#[derive(Clone, Debug, Default)]
pub struct KeyLog {
    pub(crate) client_random: [u8; 32],
    pub(crate) secrets: [Option<[u8; 32]>; 4],
}

impl KeyLog {
    /// An empty log.
    pub(crate) const fn new() -> Self {
        Self { client_random: [0; 32], secrets: [None; 4] }
    }

    /// The client's random number, by which the session is found.
    pub const fn client_random(&self) -> &[u8; 32] {
        &self.client_random
    }

    /// The secrets known so far. A line of the file is label, random number and secret.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        LABELS.into_iter().zip(self.secrets).filter_map(|(label, secret)| Some((label, secret?)))
    }
}
