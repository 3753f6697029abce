//! A manifest survives its encoding; everything else is refused without harm.
use super::*;
use crate::limits::{GRANTS_BYTES_MAX, STORAGE_BYTES_MAX};
use std::vec::Vec;

fn example() -> Manifest<'static> {
    Manifest {
        namespace: "default",
        app_name: "hello",
        app_uid: [7; 16],
        generation: 3,
        image_digest: [0xaa; 32],
        image_bytes: 1234,
        grants: Grants::decoded(&[0, 2, 0x23, 8, b's', b'e', b'n', b's', b'o', b'r', b's', b'/']),
        config: Config { args: b"-v\0", environ: b"A=1\0" },
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
    let mut expected = Vec::from(*b"\x8f\x02\x67default\x65hello\x50");
    expected.extend([7; 16]);
    expected.extend(*b"\x03\x58\x20");
    expected.extend([0xaa; 32]);
    expected.extend(*b"\x19\x04\xd2\x4c\x00\x02\x23\x08sensors/\x43-v\0\x44A=1\0\x19\x04\x00\x19\x01\x00\xf6\x01\x24");
    assert_eq!(encoded(&example()), expected);
}

#[test]
fn what_is_encoded_decodes_to_the_same() {
    let longest = "n".repeat(NAME_BYTES_MAX);
    let mut environ = [b'x'; CONFIG_BYTES_MAX];
    environ[CONFIG_BYTES_MAX - 1] = 0;
    let full = Manifest {
        namespace: &longest,
        app_name: &longest,
        generation: u64::MAX,
        image_bytes: u32::MAX,
        grants: Grants::all(),
        config: Config { args: b"", environ: &environ },
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
        Err(DecodeError::TooLong { manifest_bytes: MANIFEST_BYTES_MAX + 1 })
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
fn unsound_grants_configurations_and_policies_are_refused() {
    let mut target = [0; MANIFEST_BYTES_MAX];
    let unsound = Manifest { grants: Grants::decoded(&[31]), ..example() };
    let count = unsound.encode(&mut target).unwrap();
    let error = DecodeError::Grants(GrantError::Malformed);
    assert_eq!(Manifest::decode(&target[..count]), Err(error));
    for args in [&[b'x'][..], &[0; CONFIG_BYTES_MAX + 1]] {
        let config = Config { args, environ: b"" };
        let error = EncodeError::Config { config_bytes: args.len() };
        assert_eq!(Manifest { config, ..example() }.encode(&mut target), Err(error));
    }
    let mut bytes = encoded(&Manifest { priority: 0, ..example() });
    let policy = bytes.len() - 2;
    bytes[policy] = 3;
    assert_eq!(Manifest::decode(&bytes), Err(DecodeError::Unknown { value: 3 }));
}

#[test]
fn parts_that_are_each_within_their_bound_may_be_too_long_together() {
    let longest = "n".repeat(NAME_BYTES_MAX);
    let grants = [&[0x23, 29][..], &[b'x'; 29], &[0x23, 30], &[b'x'; 30], &[0x23, 31], &[b'x'; 31]];
    let grants = grants.concat();
    assert!(grants.len() <= GRANTS_BYTES_MAX && STORAGE_BYTES_MAX == 768);
    let full = Manifest {
        namespace: &longest,
        app_name: &longest,
        grants: Grants::decode(&grants).unwrap(),
        config: Config { args: &[0; CONFIG_BYTES_MAX], environ: b"" },
        ..example()
    };
    let mut target = [0; MANIFEST_BYTES_MAX];
    let error = EncodeError::TargetTooSmall { target_bytes: MANIFEST_BYTES_MAX };
    assert_eq!(full.encode(&mut target), Err(error));
    let named = Manifest { namespace: "default", app_name: "hello", ..full };
    assert!(named.encode(&mut target).is_ok());
}

#[test]
fn the_signed_message_is_the_prefix_and_the_manifest() {
    let mut target = [0; SIGNED_MESSAGE_BYTES_MAX];
    let message = signed_message(b"abc", &mut target).unwrap();
    assert_eq!(message, b"wasmbed image manifest v1\0abc");
    assert!(signed_message(&[0; MANIFEST_BYTES_MAX + 1], &mut target).is_err());
}
