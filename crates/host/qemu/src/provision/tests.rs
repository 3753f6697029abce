//! A provisioned flash, read back as a device reads it.

use wasmbed_catalog::board;

use super::*;
use crate::scratch::Scratch;

fn record(gateway_name: &str) -> Provision {
    Provision {
        ca_pins: vec![[1; 32], [2; 32]],
        signer_pins: vec![[3; 32]],
        gateway_name: gateway_name.into(),
        namespace: "default".into(),
        token: Some("0123456789abcdef0123456789abcdef".into()),
    }
}

#[test]
fn a_device_finds_its_record_and_no_identity() {
    let mut cases = 0;
    for facts in wasmbed_catalog::BOARDS {
        let scratch = Scratch::new();
        let config = BoardConfig::new(*facts, "one", scratch.path(), "127.0.0.1:1");
        provision(&config, &record("main.default")).unwrap();
        let mut flash = FlashFile::open(&config.flash_path(), facts.storage.bytes).unwrap();
        let mut journal = Journal::mount(&mut flash).unwrap();
        let mut bytes = [0; PROVISIONING_BYTES_MAX];
        let length = journal.fetch(&mut flash, PROVISIONING_KEY, &mut bytes).unwrap().unwrap();
        let read = Provisioning::decode(&bytes[..length]).unwrap();
        assert_eq!(read.gateway_name, "main.default");
        assert_eq!(
            read.ca_pins.iter().collect::<Vec<_>>(),
            [PublicKey([1; 32]), PublicKey([2; 32])]
        );
        assert_eq!(read.station.is_some(), facts.uplink == Uplink::Ethernet);
        assert_eq!(journal.fetch(&mut flash, Key::new(2), &mut bytes), Ok(None));
        cases += 1;
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn what_does_not_fit_leaves_nothing_behind_and_what_exists_is_kept() {
    let scratch = Scratch::new();
    let facts = *board("mps2-an385").unwrap();
    let config = BoardConfig::new(facts, "one", scratch.path(), "127.0.0.1:1");
    let too_long = provision(&config, &record(&"n".repeat(64)));
    assert!(matches!(too_long, Err(ProvisionError::Record)));
    assert!(!config.flash_path().exists());
    provision(&config, &record("main.default")).unwrap();
    let again = provision(&config, &record("other.default"));
    assert!(
        matches!(again, Err(ProvisionError::File(error)) if error.kind() == io::ErrorKind::AlreadyExists)
    );
    println!("\ncases: 2\n");
}
