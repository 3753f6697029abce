//! What is issued, as the device's parser and rustls' see it.

use x509_parser::prelude::*;

use super::*;
use crate::store::tests::Scratch;
use crate::{DirectoryStore, StoreError};

/// 2026-11-22, noon.
const NOW_S: i64 = 1_795_348_800;

fn open(scratch: &Scratch) -> Fleet {
    Fleet::open(Arc::new(DirectoryStore::open(&scratch.0).unwrap()), NOW_S).unwrap()
}

#[test]
fn a_gateway_certificate_is_what_devices_ask_for() {
    let scratch = Scratch::new("leaf");
    let fleet = open(&scratch);
    let names = [("gateway", "default"), ("g", "n"), ("gateway-of-hall-seven", "factory-north")];
    for (name, namespace) in names {
        let identity = fleet.gateway(name, namespace, NOW_S).unwrap();
        let der = &identity.certificate().der;
        println!("{name}.{namespace}: {} bytes", der.len());
        assert!(der.len() <= limits::GATEWAY_LEAF_BYTES_MAX);
        let (rest, leaf) = X509Certificate::from_der(der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(leaf.version(), X509Version::V3);
        assert_eq!(leaf.signature_algorithm.algorithm.to_id_string(), "1.3.101.112");
        assert_eq!(leaf.public_key().algorithm.algorithm.to_id_string(), "1.3.101.112");
        assert_eq!(leaf.subject().as_raw(), [0x30, 0], "the subject is empty");
        assert_eq!(identity.certificate().dns_names, [format!("{name}.{namespace}")]);
        assert!(leaf.basic_constraints().unwrap().is_none());
        let usage = leaf.extended_key_usage().unwrap().unwrap();
        assert!(usage.value.server_auth && !usage.value.client_auth && !usage.value.any);
        assert!(usage.value.other.is_empty());
        assert_eq!(leaf.extensions().len(), 2, "nothing but name and purpose");
        assert_eq!(identity.certificate().not_before_s, NOW_S - 3600);
        assert_eq!(identity.certificate().not_after_s, NOW_S + 365 * DAY_S);
        let [pin] = fleet.ca_pins()[..] else { panic!("one pin") };
        let signed = leaf.tbs_certificate.as_ref();
        let signature = leaf.signature_value.data.as_ref().try_into().unwrap();
        assert!(wasmbed_curve::ed25519::verify(&pin, &[signed], signature).is_ok());
    }
    println!("\ncases: {}", 13 * names.len());
}

#[test]
fn names_that_no_device_could_take_are_refused() {
    let scratch = Scratch::new("names");
    let fleet = open(&scratch);
    let long = "a".repeat(63);
    let too_long = "a".repeat(64);
    for (name, namespace) in [
        ("", "default"),
        ("gateway", ""),
        ("Gateway", "default"),
        ("gate.way", "default"),
        ("gateway", "../etc"),
        ("-a", "b"),
        ("a-", "b"),
        (&too_long, "b"),
    ] {
        let refused = fleet.gateway(name, namespace, NOW_S);
        assert!(matches!(refused, Err(PkiError::NameInvalid { .. })), "{name}.{namespace}");
    }
    let refused = fleet.gateway(&long, &long, NOW_S);
    assert!(matches!(refused, Err(PkiError::NameTooLong { .. })), "{refused:?}");
    println!("\ncases: 9");
}

#[test]
fn what_is_there_stays_until_it_nears_its_end() {
    let scratch = Scratch::new("life");
    let first = open(&scratch);
    let leaf = first.gateway("g", "n", NOW_S).unwrap();
    let again = open(&scratch);
    assert_eq!(again.ca_pins(), first.ca_pins());
    assert_eq!(again.signer_pins(), first.signer_pins());
    assert_ne!(first.ca_pins(), first.signer_pins());
    // Days from now; whether the certificate is still the first one.
    for (days, same) in [(0, true), (200, true), (244, true), (245, false), (400, false)] {
        let other = Scratch::new(&format!("life-{days}"));
        std::fs::create_dir_all(&other.0).unwrap();
        for entry in std::fs::read_dir(&scratch.0).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), other.0.join(entry.file_name())).unwrap();
        }
        let now_s = NOW_S + days * DAY_S;
        let later = open(&other).gateway("g", "n", now_s).unwrap();
        assert_eq!(later.certificate() == leaf.certificate(), same, "{days}");
        assert!(later.certificate().not_after_s > now_s);
    }
    println!("\ncases: 13");
}

#[test]
fn rotates_what_nobody_pins() {
    let scratch = Scratch::new("rotate");
    let fleet = open(&scratch);
    let gateway = Rotation::Gateway { name: "g", namespace: "n" };
    let old = fleet.gateway("g", "n", NOW_S).unwrap();
    let new = fleet.rotate(gateway, NOW_S).unwrap();
    assert_ne!(old.key_der(), new.key_der());
    assert_eq!(fleet.gateway("g", "n", NOW_S).unwrap().certificate(), new.certificate());

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let old = fleet.live_server(&names, NOW_S).unwrap().server;
    assert_eq!(fleet.live_server(&names, NOW_S).unwrap().server.certificate(), old.certificate());
    let more = ["localhost".to_owned(), "live.wasmbed.svc".to_owned()];
    let wider = fleet.live_server(&more, NOW_S).unwrap().server;
    assert_eq!(wider.certificate().dns_names, more);
    let new = fleet.rotate(Rotation::LiveServer, NOW_S).unwrap();
    assert_eq!(new.certificate().dns_names, more);
    assert_ne!(new.key_der(), wider.key_der());

    let old = fleet.front_proxy(NOW_S).unwrap().client;
    assert_ne!(fleet.rotate(Rotation::FrontProxy, NOW_S).unwrap().key_der(), old.key_der());
    for pinned in [Rotation::FleetAuthority, Rotation::ImageSigner] {
        let refused = fleet.rotate(pinned, NOW_S);
        assert!(matches!(refused, Err(PkiError::RotationNotImplemented { .. })));
    }
    println!("\ncases: 9");
}

#[test]
fn lists_everything_without_private_parts() {
    let scratch = Scratch::new("list");
    let fleet = open(&scratch);
    fleet.gateway("g", "n", NOW_S).unwrap();
    fleet.front_proxy(NOW_S).unwrap();
    fleet.live_server(&["localhost".to_owned()], NOW_S).unwrap();
    let entries = fleet.list().unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let expected = [
        "fleet-ca",
        "front-proxy-ca",
        "front-proxy-client",
        "gateway.n.g",
        "image-signer",
        "live-ca",
        "live-server",
    ];
    assert_eq!(names, expected);
    let shown = format!("{entries:?} {fleet:?} {:?}", fleet.image_signer().unwrap());
    for name in expected {
        let text = std::fs::read_to_string(scratch.0.join(format!("{name}.pem"))).unwrap();
        let secret = text.lines().nth(1).unwrap();
        assert!(!shown.contains(secret), "{name}");
    }
    println!("\ncases: {}", 2 * expected.len());
}

#[test]
fn damage_is_named_and_nothing_is_replaced() {
    let scratch = Scratch::new("damage");
    drop(open(&scratch));
    let path = scratch.0.join("fleet-ca.pem");
    let good = std::fs::read_to_string(&path).unwrap();
    let other = std::fs::read_to_string(scratch.0.join("live-ca.pem")).unwrap();
    let key_of = |text: &str| text[..text.find("-----BEGIN CERTIFICATE").unwrap()].to_owned();
    let certificate_of =
        |text: &str| text[text.find("-----BEGIN CERTIFICATE").unwrap()..].to_owned();
    let damaged = [
        String::new(),
        key_of(&good),
        certificate_of(&good),
        format!("{}{}", key_of(&other), certificate_of(&good)),
        other.clone(),
        good.replace("MII", "AAA").replace("MIH", "AAA"),
        good[..good.len() / 2].to_owned(),
    ];
    for text in &damaged {
        std::fs::write(&path, text).unwrap();
        let store = Arc::new(DirectoryStore::open(&scratch.0).unwrap());
        match Fleet::open(store, NOW_S) {
            Err(PkiError::Damaged { name, .. }) => assert_eq!(name, "fleet-ca"),
            Err(PkiError::Store(StoreError::Io { .. })) | Err(_) => panic!("{text}"),
            Ok(_) => panic!("accepted: {text}"),
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), *text);
    }
    println!("\ncases: {}", 2 * damaged.len());
}
