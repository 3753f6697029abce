//! What an ALPN list is taken for.

use super::choose;

/// Name, major and record class.
type Choice = Option<(&'static str, u32, Option<u16>)>;

#[track_caller]
fn check(offered: &[&str], chosen: Choice) {
    let protocol = choose(offered.iter().map(|name| name.as_bytes()));
    let found = protocol.as_ref().map(|protocol| {
        let name = std::str::from_utf8(&protocol.name).expect("names here are text");
        (name, protocol.major, protocol.record_bytes)
    });
    assert_eq!(found, chosen, "{offered:?}");
}

#[test]
fn an_alpn_list_names_version_and_record_class() {
    let cases: &[(&[&str], Choice)] = &[
        (&["wasmbed/1-512"], Some(("wasmbed/1-512", 1, Some(512)))),
        (&["wasmbed/1"], Some(("wasmbed/1", 1, None))),
        (&["wasmbed/2-512"], Some(("wasmbed/2-512", 2, Some(512)))),
        (&["wasmbed/2", "wasmbed/1-512"], Some(("wasmbed/1-512", 1, Some(512)))),
        (&["wasmbed/7", "wasmbed/9"], Some(("wasmbed/7", 7, None))),
        (&["h2", "wasmbed/1"], Some(("wasmbed/1", 1, None))),
        (&["wasmbed/999999999"], Some(("wasmbed/999999999", 999_999_999, None))),
        (&["wasmbed/1-16384"], Some(("wasmbed/1-16384", 1, Some(16_384)))),
        (&[], None),
        (&["h2", "http/1.1"], None),
        (&["wasmbed/"], None),
        (&["wasmbed/0"], None),
        (&["wasmbed/01"], None),
        (&["wasmbed/+1"], None),
        (&["wasmbed/1-"], None),
        (&["wasmbed/1-127"], None),
        (&["wasmbed/1-16385"], None),
        (&["wasmbed/1-99999"], None),
        (&["wasmbed/1-512-9"], None),
        (&["wasmbed/1 "], None),
        (&["Wasmbed/1"], None),
        (&["wasmbed/9999999999"], None),
        (&["a", "b", "c", "d", "e", "f", "g", "h", "wasmbed/1"], None),
    ];
    for (offered, chosen) in cases {
        check(offered, *chosen);
    }
    println!("\ncases: {}\n", cases.len());
}
