//! All keys of one fleet.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::authority::{Authority, DAY_S, Kind, Leaf};
use crate::identity::Identity;
use crate::{ImageSigner, KeyStore, PkiError, limits, signer};

#[cfg(test)]
mod tests;

/// Name that an API server's client certificate has when it forwards to the live API.
pub const FRONT_PROXY_NAME: &str = "front-proxy-client";
const FRONT_PROXY: &str = "front-proxy-client";
const LIVE_SERVER: &str = "live-server";
const GATEWAY_PREFIX: &str = "gateway.";

/// All keys of one fleet. Opening makes what is missing, and nothing else.
pub struct Fleet {
    store: Arc<dyn KeyStore>,
    fleet: Authority,
    live: Authority,
    front_proxy: Authority,
    signer_key: [u8; 32],
}

/// What an API server needs to forward requests to the live API.
#[derive(Debug)]
pub struct FrontProxy {
    /// Authority that gateways trust to name users, in PEM.
    pub ca_pem: String,
    /// Client certificate of the API server.
    pub client: Identity,
}

/// What serves the live API.
#[derive(Debug)]
pub struct LiveServer {
    /// Authority that the API server trusts, in PEM: the `caBundle` of the APIService.
    pub ca_pem: String,
    /// Certificate of the server.
    pub server: Identity,
}

/// One line of a list of keys and certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Name in the store.
    pub name: String,
    /// DNS names it is for.
    pub dns_names: Vec<String>,
    /// Unix time from which it is valid, in seconds; nothing for a bare key.
    pub not_before_s: Option<i64>,
    /// Unix time until which it is valid, in seconds; nothing for a bare key.
    pub not_after_s: Option<i64>,
    /// SHA-256 of the public key in hex.
    pub key_sha256: String,
}

/// What to make anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rotation<'a> {
    /// Certificate and key of a gateway. Devices notice nothing.
    Gateway {
        /// Name of the Gateway.
        name: &'a str,
        /// Its namespace.
        namespace: &'a str,
    },
    /// Certificate and key of the live API's servers.
    LiveServer,
    /// Client certificate and key with which an API server forwards.
    FrontProxy,
    /// The key that devices pin for gateways.
    FleetAuthority,
    /// The key that devices pin for images.
    ImageSigner,
}

impl Fleet {
    /// Opens the keys of a fleet; those that are missing are made.
    ///
    /// # Errors
    /// [`PkiError`]; what exists is never replaced.
    pub fn open(store: Arc<dyn KeyStore>, now_s: i64) -> Result<Self, PkiError> {
        let [fleet, live, front_proxy] =
            Kind::ALL.map(|kind| Authority::open(kind, &*store, now_s));
        let signer_key = ImageSigner::open(&*store)?.public_key();
        Ok(Self { fleet: fleet?, live: live?, front_proxy: front_proxy?, signer_key, store })
    }

    /// Keys of the fleet authority that devices pin: the current one first.
    pub fn ca_pins(&self) -> Vec<[u8; 32]> {
        self.fleet.identity().key().public_key_raw().try_into().into_iter().collect()
    }

    /// Certificate of the fleet authority, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.fleet.identity().certificate().pem
    }

    /// Keys of the image signer that devices pin: the current one first.
    pub fn signer_pins(&self) -> Vec<[u8; 32]> {
        vec![self.signer_key]
    }

    /// The image signer. Only controllers ask for it.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn image_signer(&self) -> Result<ImageSigner, PkiError> {
        ImageSigner::open(&*self.store)
    }

    /// The certificate of a gateway, whose DNS name is `name.namespace`. Made where there is none,
    /// and made anew where less than a third of its life is left: ask again now and then.
    ///
    /// # Errors
    /// [`PkiError`]; [`PkiError::NameTooLong`] where no device could take the certificate.
    pub fn gateway(&self, name: &str, namespace: &str, now_s: i64) -> Result<Identity, PkiError> {
        let store_name = gateway_store_name(name, namespace)?;
        self.leaf(&store_name, now_s, || self.issue_gateway(name, namespace, now_s))
    }

    /// The certificate of the live API's servers, for these DNS names and addresses. Made anew
    /// where it lacks one of the names.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn live_server(&self, names: &[String], now_s: i64) -> Result<LiveServer, PkiError> {
        let issue = || self.issue_live(names, now_s);
        let mut server = self.leaf(LIVE_SERVER, now_s, issue)?;
        let dns = names.iter().filter(|name| name.parse::<IpAddr>().is_err());
        if dns.into_iter().any(|name| !server.certificate().dns_names.contains(name)) {
            let text = issue()?;
            self.store.replace(LIVE_SERVER, &text)?;
            server = Identity::parse(LIVE_SERVER, &text)?;
        }
        Ok(LiveServer { ca_pem: self.live.identity().certificate().pem.clone(), server })
    }

    /// What an API server needs to forward requests to the live API.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn front_proxy(&self, now_s: i64) -> Result<FrontProxy, PkiError> {
        let client = self.leaf(FRONT_PROXY, now_s, || self.issue_front_proxy(now_s))?;
        Ok(FrontProxy { ca_pem: self.front_proxy_ca_pem().to_owned(), client })
    }

    /// Authority that gateways trust to name users, in PEM.
    pub fn front_proxy_ca_pem(&self) -> &str {
        &self.front_proxy.identity().certificate().pem
    }

    /// Makes a key and its certificate anew, at once. Servers take it up when they ask again.
    ///
    /// # Errors
    /// [`PkiError`]; [`PkiError::RotationNotImplemented`] for what devices pin.
    pub fn rotate(&self, rotation: Rotation<'_>, now_s: i64) -> Result<Identity, PkiError> {
        let (store_name, text) = match rotation {
            Rotation::Gateway { name, namespace } => {
                (gateway_store_name(name, namespace)?, self.issue_gateway(name, namespace, now_s)?)
            }
            Rotation::LiveServer => {
                let old = self.store.read(LIVE_SERVER)?;
                let old = old.map(|text| Identity::parse(LIVE_SERVER, &text)).transpose()?;
                let names = old.map(|old| old.certificate().dns_names.clone()).unwrap_or_default();
                (LIVE_SERVER.to_owned(), self.issue_live(&names, now_s)?)
            }
            Rotation::FrontProxy => (FRONT_PROXY.to_owned(), self.issue_front_proxy(now_s)?),
            Rotation::FleetAuthority => {
                return Err(not_implemented(Kind::Fleet.store_name()));
            }
            Rotation::ImageSigner => return Err(not_implemented(signer::STORE_NAME)),
        };
        self.store.replace(&store_name, &text)?;
        Identity::parse(&store_name, &text)
    }

    /// Everything in the store, by name.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn list(&self) -> Result<Vec<Entry>, PkiError> {
        let mut entries = Vec::new();
        for name in self.store.list()? {
            if name == signer::STORE_NAME {
                entries.push(Entry {
                    dns_names: Vec::new(),
                    not_before_s: None,
                    not_after_s: None,
                    key_sha256: hex(&Sha256::digest(self.signer_key)),
                    name,
                });
                continue;
            }
            let Some(text) = self.store.read(&name)? else { continue };
            let identity = Identity::parse(&name, &text)?;
            let certificate = identity.certificate();
            entries.push(Entry {
                dns_names: certificate.dns_names.clone(),
                not_before_s: Some(certificate.not_before_s),
                not_after_s: Some(certificate.not_after_s),
                key_sha256: hex(&Sha256::digest(identity.key().public_key_raw())),
                name,
            });
        }
        Ok(entries)
    }

    /// The leaf of the store, made where there is none, and made anew near its end.
    fn leaf(
        &self,
        name: &str,
        now_s: i64,
        issue: impl Fn() -> Result<Zeroizing<String>, PkiError>,
    ) -> Result<Identity, PkiError> {
        let text = match self.store.read(name)? {
            Some(text) => text,
            None => self.store.create(name, &issue()?)?,
        };
        let identity = Identity::parse(name, &text)?;
        if identity.certificate().not_after_s - now_s >= limits::RENEW_DAYS * DAY_S {
            return Ok(identity);
        }
        let text = issue()?;
        self.store.replace(name, &text)?;
        Identity::parse(name, &text)
    }

    fn issue_gateway(
        &self,
        name: &str,
        namespace: &str,
        now_s: i64,
    ) -> Result<Zeroizing<String>, PkiError> {
        let store_name = gateway_store_name(name, namespace)?;
        let dns_name = format!("{name}.{namespace}");
        let leaf = Leaf {
            store_name: &store_name,
            common_name: None,
            names: &[dns(&dns_name)?],
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
        };
        let text = self.fleet.issue(&leaf, now_s)?;
        let leaf_bytes = Identity::parse(&store_name, &text)?.certificate().der.len();
        let leaf_bytes_max = limits::GATEWAY_LEAF_BYTES_MAX;
        if leaf_bytes > leaf_bytes_max {
            return Err(PkiError::NameTooLong { name: dns_name, leaf_bytes, leaf_bytes_max });
        }
        Ok(text)
    }

    fn issue_live(&self, names: &[String], now_s: i64) -> Result<Zeroizing<String>, PkiError> {
        let name = |name: &String| match name.parse() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => dns(name),
        };
        let names = names.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        let leaf = Leaf {
            store_name: LIVE_SERVER,
            common_name: Some("wasmbed live API server"),
            names: &names,
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
        };
        self.live.issue(&leaf, now_s)
    }

    fn issue_front_proxy(&self, now_s: i64) -> Result<Zeroizing<String>, PkiError> {
        let leaf = Leaf {
            store_name: FRONT_PROXY,
            common_name: Some(FRONT_PROXY_NAME),
            names: &[],
            purpose: ExtendedKeyUsagePurpose::ClientAuth,
        };
        self.front_proxy.issue(&leaf, now_s)
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("fleet", &self.fleet).finish_non_exhaustive()
    }
}

fn not_implemented(name: &'static str) -> PkiError {
    let why =
        "devices pin this key, and the signed message that gives them the next pin is missing";
    PkiError::RotationNotImplemented { name, why }
}

/// Name in the key store of a gateway's certificate.
fn gateway_store_name(name: &str, namespace: &str) -> Result<String, PkiError> {
    for label in [name, namespace] {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !is_label {
            return Err(PkiError::NameInvalid { name: label.to_owned() });
        }
    }
    Ok(format!("{GATEWAY_PREFIX}{namespace}.{name}"))
}

fn dns(name: &str) -> Result<SanType, PkiError> {
    let invalid = |_| PkiError::NameInvalid { name: name.to_owned() };
    Ok(SanType::DnsName(name.try_into().map_err(invalid)?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
