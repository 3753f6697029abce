//! Messages taken apart.
use super::*;

#[test]
fn a_message_is_its_topic_and_its_payload() {
    let check = |bytes: &[u8], expected: Option<(&str, &[u8])>| {
        let found = split(bytes).map(|message| (message.topic, message.payload));
        assert_eq!(found, expected, "{bytes:?}");
    };
    check(b"\x04roomhot", Some(("room", b"hot")));
    check(b"\x00hot", Some(("", b"hot")));
    check(b"\x04room", Some(("room", b"")));
    check(b"\x05room", None);
    check(b"", None);
}
