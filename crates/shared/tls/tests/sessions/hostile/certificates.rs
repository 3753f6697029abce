//! Faults in the server's certificate.

use super::Case;
use crate::fleet::NAME;
use crate::leaf::{LeafSpec, element, extension, names, purposes, sequence};
use crate::server::{AUTHORITY, GATEWAY, Play, STRANGER};

/// Up to Certificate with an honest leaf changed by `change`, signed by the authority.
fn leaf(play: &mut Play, change: impl FnOnce(&mut LeafSpec)) {
    signed_by(play, &AUTHORITY, change);
}

fn signed_by(play: &mut Play, seed: &[u8; 32], change: impl FnOnce(&mut LeafSpec)) {
    raw(play, &LeafSpec::with(change).signed_by(seed));
}

/// Up to Certificate with these bytes for a leaf, then the rest of an honest flight.
fn raw(play: &mut Play, leaf: &[u8]) {
    play.until_certificate();
    play.certificate(leaf);
    play.verify();
    play.finished();
    // The client answers before it has keys for data.
}

/// An honest leaf whose extension number `index` is another.
fn replace(play: &mut Play, index: usize, extension: Vec<u8>) {
    leaf(play, |l| l.extensions[index] = extension);
}

fn add(play: &mut Play, extension: Vec<u8>) {
    leaf(play, |l| l.extensions.push(extension));
}

fn other_algorithm() -> Vec<u8> {
    sequence(&[element(6, &[0x2b, 0x65, 0x71])])
}

fn honest() -> Vec<u8> {
    LeafSpec::honest().signed_by(&AUTHORITY)
}

const NAMES: usize = 0;
const PURPOSES: usize = 1;

pub const CASES: &[Case] = &[
    ("another authority", 48, |p| signed_by(p, &STRANGER, |_| {})),
    ("signed by itself", 48, |p| signed_by(p, &GATEWAY, |_| {})),
    ("changed signature", 48, |p| {
        let mut leaf = honest();
        *leaf.last_mut().unwrap() ^= 1;
        raw(p, &leaf);
    }),
    ("changed serial number", 48, |p| {
        let mut leaf = honest();
        let at = leaf.windows(2).position(|pair| pair == [0x11, 0x22]).unwrap();
        leaf[at] = 0x12;
        raw(p, &leaf);
    }),
    ("purpose clientAuth", 43, |p| replace(p, PURPOSES, purposes(&[2]))),
    ("purposes serverAuth and clientAuth", 43, |p| replace(p, PURPOSES, purposes(&[1, 2]))),
    ("no purposes in the list", 43, |p| replace(p, PURPOSES, purposes(&[]))),
    ("any purpose", 43, |p| {
        let any = element(6, &[0x55, 0x1d, 37, 0]);
        replace(p, PURPOSES, extension(37, false, &sequence(&[any])));
    }),
    ("no purpose extension", 43, |p| {
        leaf(p, |l| {
            l.extensions.remove(PURPOSES);
        });
    }),
    ("an authority", 43, |p| {
        add(p, extension(19, true, &sequence(&[element(1, &[0xff])])));
    }),
    ("an authority with a path length", 43, |p| {
        add(p, extension(19, true, &sequence(&[element(1, &[0xff]), element(2, &[0])])));
    }),
    ("may sign certificates", 43, |p| add(p, extension(15, true, &element(3, &[2, 0x84])))),
    ("may not sign anything", 43, |p| add(p, extension(15, true, &element(3, &[5, 0x20])))),
    ("empty key usage", 42, |p| add(p, extension(15, true, &element(3, &[0])))),
    ("another name", 42, |p| replace(p, NAMES, names(&[(0x82, b"gateway.other")]))),
    ("name that begins like ours", 42, |p| {
        replace(p, NAMES, names(&[(0x82, b"gateway.default.evil")]));
    }),
    ("name with a zero in it", 42, |p| {
        replace(p, NAMES, names(&[(0x82, b"gateway.default\0.evil")]));
    }),
    ("wildcard", 42, |p| replace(p, NAMES, names(&[(0x82, b"*.default")]))),
    ("two names", 42, |p| {
        replace(p, NAMES, names(&[(0x82, NAME.as_bytes()), (0x82, b"gateway.other")]));
    }),
    ("address instead of a name", 42, |p| replace(p, NAMES, names(&[(0x87, &[127, 0, 0, 1])]))),
    ("name as URI", 42, |p| replace(p, NAMES, names(&[(0x86, NAME.as_bytes())]))),
    ("empty list of names", 42, |p| replace(p, NAMES, names(&[]))),
    ("no name", 42, |p| {
        leaf(p, |l| {
            l.extensions.remove(NAMES);
        });
    }),
    ("names twice", 42, |p| add(p, names(&[(0x82, NAME.as_bytes())]))),
    ("purposes twice", 42, |p| add(p, purposes(&[1]))),
    ("unknown critical extension", 43, |p| add(p, extension(99, true, &[5, 0]))),
    ("name constraints, critical", 43, |p| add(p, extension(30, true, &sequence(&[])))),
    ("critical written as false", 42, |p| {
        let body = element(4, &[5, 0]);
        let id = element(6, &[0x55, 0x1d, 99]);
        add(p, sequence(&[id, element(1, &[0]), body]));
    }),
    ("no extensions", 43, |p| leaf(p, |l| l.extensions.clear())),
    ("byte behind an extension", 42, |p| {
        let id = element(6, &[0x55, 0x1d, 99]);
        add(p, sequence(&[id, element(4, &[]), vec![5, 0]]));
    }),
    ("expired", 45, |p| leaf(p, |l| l.not_after = element(0x17, b"251231235959Z"))),
    ("not valid yet", 45, |p| leaf(p, |l| l.not_before = element(0x17, b"300101000000Z"))),
    ("date without seconds", 42, |p| leaf(p, |l| l.not_after = element(0x17, b"4912312359Z"))),
    ("date in another zone", 42, |p| {
        leaf(p, |l| l.not_after = element(0x17, b"491231235959+0100"));
    }),
    ("thirteenth month", 42, |p| leaf(p, |l| l.not_after = element(0x17, b"491331235959Z"))),
    ("thirtieth of February", 42, |p| leaf(p, |l| l.not_after = element(0x17, b"480230000000Z"))),
    ("twenty-fifth hour", 42, |p| leaf(p, |l| l.not_after = element(0x17, b"491231245959Z"))),
    ("date with letters", 42, |p| leaf(p, |l| l.not_after = element(0x17, b"49123123595xZ"))),
    ("long form of a date before 2050", 42, |p| {
        leaf(p, |l| l.not_after = element(0x18, b"20491231235959Z"));
    }),
    ("date as a number", 42, |p| leaf(p, |l| l.not_after = element(2, b"491231235959Z"))),
    ("version 1", 42, |p| leaf(p, |l| l.version.clear())),
    ("version 2", 43, |p| leaf(p, |l| l.version = element(0xa0, &element(2, &[1])))),
    ("version 4", 43, |p| leaf(p, |l| l.version = element(0xa0, &element(2, &[3])))),
    ("negative serial number", 42, |p| leaf(p, |l| l.serial = element(2, &[0x81]))),
    ("empty serial number", 42, |p| leaf(p, |l| l.serial = element(2, &[]))),
    ("serial number with a needless zero", 42, |p| leaf(p, |l| l.serial = element(2, &[0, 1]))),
    ("serial number of 21 bytes", 42, |p| leaf(p, |l| l.serial = element(2, &[1; 21]))),
    ("Ed448 inside", 43, |p| leaf(p, |l| l.inner_algorithm = other_algorithm())),
    ("Ed448 outside", 43, |p| leaf(p, |l| l.outer_algorithm = other_algorithm())),
    ("algorithm with parameters", 43, |p| {
        leaf(p, |l| {
            l.inner_algorithm = sequence(&[element(6, &[0x2b, 0x65, 0x70]), element(5, &[])]);
        });
    }),
    ("X25519 key", 43, |p| {
        leaf(p, |l| {
            let algorithm = sequence(&[element(6, &[0x2b, 0x65, 0x6e])]);
            l.key_info = sequence(&[algorithm, element(3, &[0; 33])]);
        });
    }),
    ("P-256 key", 43, |p| {
        leaf(p, |l| {
            let curve = element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
            let kind = element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
            l.key_info = sequence(&[sequence(&[kind, curve]), element(3, &[4; 66])]);
        });
    }),
    ("key that is no point", 51, |p| {
        leaf(p, |l| {
            let algorithm = sequence(&[element(6, &[0x2b, 0x65, 0x70])]);
            l.key_info = sequence(&[algorithm, element(3, &[&[0; 1][..], &[2; 32]].concat())]);
        });
    }),
    ("bytes behind the certificate", 42, |p| leaf(p, |l| l.trailing = vec![0])),
    ("raw public key instead", 42, |p| {
        let info = LeafSpec::honest().key_info;
        raw(p, &info);
    }),
    ("not DER", 42, |p| raw(p, b"-----BEGIN CERTIFICATE-----")),
    ("indefinite length", 42, |p| {
        let mut leaf = honest();
        leaf[1] = 0x80;
        raw(p, &leaf);
    }),
    ("length longer than needed", 42, |p| {
        let leaf = honest();
        raw(p, &[&[0x30, 0x83, 0], &leaf[2..]].concat());
    }),
    ("certificate cut", 42, |p| {
        let leaf = honest();
        raw(p, &leaf[..leaf.len() - 1]);
    }),
];
