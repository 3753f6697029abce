//! A manifest survives its encoding; everything else is refused without harm.
use super::*;
use std::vec::Vec;
use wasmbed_abi::Capability;

fn example() -> Manifest<'static> {
    Manifest {
        namespace: "default",
        app_name: "hello",
        app_uid: [7; 16],
        generation: 3,
        image_digest: [0xaa; 32],
        image_bytes: 1234,
        capabilities: Capabilities::none()
            .with(Capability::Log)
            .with(Capability::Timer)
            .with_telemetry_topic("sensors/"),
        limits: Limits { memory_bytes: 1024, stack_bytes: 256, fuel: None },
        restart_policy: RestartPolicy::OnFailure,
        priority: -5,
    }
}

fn encoded(manifest: &Manifest<'_>) -> Vec<u8> {
    let mut target = [0; MANIFEST_BYTES_MAX];
    let manifest_bytes = manifest.encode(&mut target).unwrap();
    target[..manifest_bytes].to_vec()
}

#[test]
fn the_example_has_the_bytes_that_the_layout_says() {
    let mut expected = Vec::from(*b"\x8e\x01\x67default\x65hello\x50");
    expected.extend([7; 16]);
    expected.extend(*b"\x03\x58\x20");
    expected.extend([0xaa; 32]);
    expected.extend(*b"\x19\x04\xd2\x0d\x68sensors/\x19\x04\x00\x19\x01\x00\xf6\x01\x24");
    assert_eq!(encoded(&example()), expected);
}

#[test]
fn what_is_encoded_decodes_to_the_same() {
    let longest = "n".repeat(NAME_BYTES_MAX);
    let topic = "t".repeat(TOPIC_BYTES_MAX);
    let full = Manifest {
        namespace: &longest,
        app_name: &longest,
        generation: u64::MAX,
        image_bytes: u32::MAX,
        capabilities: Capabilities::all().with_telemetry_topic(&topic),
        limits: Limits { memory_bytes: u32::MAX, stack_bytes: u32::MAX, fuel: Some(u64::MAX) },
        restart_policy: RestartPolicy::Never,
        priority: i16::MIN,
        ..example()
    };
    for manifest in [example(), full] {
        let bytes = encoded(&manifest);
        assert!(bytes.len() <= MANIFEST_BYTES_MAX);
        assert_eq!(Manifest::decode(&bytes), Ok(manifest));
    }
}

#[test]
fn names_that_are_too_long_are_not_encoded() {
    let name = "n".repeat(NAME_BYTES_MAX + 1);
    let error = EncodeError::NameTooLong { name_bytes: 64, name_bytes_max: 63 };
    let mut target = [0; MANIFEST_BYTES_MAX];
    assert_eq!(Manifest { app_name: &name, ..example() }.encode(&mut target), Err(error));
    assert_eq!(Manifest { namespace: &name, ..example() }.encode(&mut target), Err(error));
    assert_eq!(
        example().encode(&mut [0; 20]),
        Err(EncodeError::TargetTooSmall { target_bytes: 20 })
    );
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let bytes = encoded(&example());
    for length in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..length]).is_err());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Manifest::decode(&longer), Err(DecodeError::Trailing { trailing_bytes: 1 }));
    assert_eq!(
        Manifest::decode(&[0; MANIFEST_BYTES_MAX + 1]),
        Err(DecodeError::TooLong { manifest_bytes: 321 })
    );
}

#[test]
fn every_changed_byte_is_refused_or_changes_the_manifest() {
    let manifest = example();
    let bytes = encoded(&manifest);
    for index in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[index] = value;
            if let Ok(decoded) = Manifest::decode(&changed) {
                assert_eq!(decoded == manifest, changed == bytes);
            }
        }
    }
}

#[test]
fn unknown_capabilities_and_policies_are_refused() {
    assert_eq!(Capabilities::from_parts(1 << 31, ""), None);
    let mut bytes = encoded(&Manifest { priority: 0, ..example() });
    let policy = bytes.len() - 2;
    bytes[policy] = 3;
    assert_eq!(Manifest::decode(&bytes), Err(DecodeError::Unknown { value: 3 }));
}

#[test]
fn the_signed_message_is_the_prefix_and_the_manifest() {
    let mut target = [0; SIGNED_MESSAGE_BYTES_MAX];
    let message = signed_message(b"abc", &mut target).unwrap();
    assert_eq!(message, b"wasmbed image manifest v1\0abc");
    assert!(signed_message(&[0; MANIFEST_BYTES_MAX + 1], &mut target).is_err());
}

#[test]
fn a_topic_needs_the_capability_and_the_prefix() {
    let granted = example().capabilities;
    assert!(granted.allows_topic("sensors/t"));
    assert!(!granted.allows_topic("other"));
    assert!(!granted.allows_topic("sensors/with-a-name-that-is-too-long"));
    assert!(!Capabilities::none().allows_topic("sensors/t"));
    assert!(Capabilities::all().allows_topic("other"));
}
