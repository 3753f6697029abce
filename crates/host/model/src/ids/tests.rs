//! Names and digests against values computed by other tools.

use super::*;

#[test]
fn names_a_device_by_its_key() {
    // Made with: printf KEY | sha256sum, first ten bytes through `base32 | tr A-Z a-z`.
    for (key, name) in DEVICE_NAMES {
        assert_eq!(device_name(&PublicKey(key)), name);
    }
    println!("\ncases: {}", DEVICE_NAMES.len());
}

const DEVICE_NAMES: [([u8; 32], &str); 3] = [
    ([0; 32], "d-mzuhvlpymk6xo3ep"),
    ([0xff; 32], "d-v6lbg5qpojrv7pnu"),
    ([7; 32], "d-joyg7dsohj3rluqb"),
];

#[test]
fn reads_digests_strictly() {
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let empty = sha256(b"");
    let cases = [
        (hex.to_owned(), Some(empty)),
        (format!("sha256:{hex}"), Some(empty)),
        (hex.to_uppercase(), None),
        (hex[1..].to_owned(), None),
        (format!("{hex}0"), None),
        (format!("sha512:{hex}"), None),
        (String::new(), None),
        (hex.replace('e', "g"), None),
    ];
    let count = cases.len();
    for (text, digest) in cases {
        assert_eq!(parse_digest(&text), digest, "{text}");
    }
    assert_eq!(empty.to_string(), hex);
    println!("\ncases: {}", count + 1);
}

#[test]
fn reads_uids_strictly_and_writes_them_back() {
    let uid = "01234567-89ab-cdef-0123-456789abcdef";
    let id = parse_uid(uid).unwrap();
    assert_eq!(uid_text(&id), uid);
    let refused = [
        "",
        "0123456789abcdef0123456789abcdef",
        "01234567-89ab-cdef-0123-456789abcde",
        "01234567-89ab-cdef-0123-456789abcdeg",
        "0123456-789ab-cdef-0123-456789abcdef",
        "01234567-89AB-cdef-0123-456789abcdef",
    ];
    for text in refused {
        assert_eq!(parse_uid(text), None, "{text}");
    }
    println!("\ncases: {}", refused.len() + 2);
}
