//! What becomes of arguments and environment before they are signed.

use wasmbed_crds::application::Config;

use super::Strings;

fn config(args: &[&str], env: &[(&str, &str)]) -> Config {
    Config {
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

#[test]
fn strings_end_with_a_nul_byte_and_what_cannot_be_given_is_named() {
    let long = "x".repeat(91);
    type Expected<'a> = Result<(&'a [u8], &'a [u8]), &'a str>;
    let cases: [(Config, Expected); 10] = [
        (config(&[], &[]), Ok((b"", b""))),
        (config(&["-v", ""], &[]), Ok((b"-v\0\0", b""))),
        (config(&["a"], &[("B", "2"), ("A", "")]), Ok((b"a\0", b"A=\0B=2\0"))),
        (config(&[&long], &[("A", "1")]), Ok((b"", b""))),
        (config(&[&long, ""], &[("A", "1")]), Err("take 97 bytes")),
        (config(&["a\0b"], &[]), Err("an argument holds a NUL byte")),
        (config(&[], &[("A", "\0")]), Err("A holds a NUL byte")),
        (config(&[], &[("A=B", "1")]), Err("\"A=B\" is no name")),
        (config(&[], &[("", "1")]), Err("\"\" is no name")),
        (config(&[], &[("1A", "1")]), Err("letters, digits and _ are allowed")),
    ];
    for (config, expected) in &cases {
        match (Strings::of(Some(config)), expected) {
            (Ok(strings), Ok(_)) if config.args.first() == Some(&long) => {
                assert_eq!(strings.args.len() + strings.environ.len(), 96);
            }
            (Ok(strings), Ok((args, environ))) => {
                assert_eq!(
                    (strings.args.as_slice(), strings.environ.as_slice()),
                    (*args, *environ)
                );
            }
            (Err(refusal), Err(said)) => {
                assert!(refusal.message.contains(said), "{}", refusal.message);
            }
            (found, _) => panic!("{config:?}: {found:?}"),
        }
    }
    assert_eq!(Strings::of(None), Ok(Strings::default()));
    println!("\ncases: {}", cases.len() + 1);
}
