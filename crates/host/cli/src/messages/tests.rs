//! How the command line becomes a request.

use clap::Parser;

use super::{check, query};
use crate::arguments::{Arguments, Command};

fn query_of(line: &str) -> Result<String, String> {
    let words = ["wasmbed", "messages", "board"].into_iter().chain(line.split_whitespace());
    let arguments = Arguments::try_parse_from(words).map_err(|error| error.to_string())?;
    match arguments.command {
        Command::Messages(messages) => query(&messages).map_err(|error| error.to_string()),
        _ => Err("another command".to_owned()),
    }
}

#[test]
fn a_reader_asks_for_what_the_command_line_says() {
    let cases = [
        ("", "follow=false&format=text"),
        ("-f --tail 3", "follow=true&format=text&tail=3"),
        ("--since-seq 9 -o json", "follow=false&format=json&sinceSeq=9"),
        ("-a chat --topic a&b/c", "follow=false&format=text&application=chat&topic=a%26b%2Fc"),
    ];
    for (line, expected) in cases {
        assert_eq!(query_of(line).as_deref(), Ok(expected), "{line}");
    }
    assert!(query_of("-o yaml").is_err_and(|error| error.contains("there is: json")));
    println!("\ncases: {}", cases.len() + 1);
}

#[test]
fn a_message_is_named_or_read_and_within_its_bounds() {
    let parse = |line: &str| Arguments::try_parse_from(line.split_whitespace()).is_ok();
    assert!(parse("wasmbed send board chat/a hello"));
    assert!(parse("wasmbed send virtualdevice/board chat/a --file -"));
    assert!(!parse("wasmbed send board chat/a"));
    assert!(!parse("wasmbed send board chat/a hello --file message.bin"));
    assert!(check("t", &[0; 256]).is_ok());
    assert!(check("t", &[0; 257]).is_err());
    assert!(check("", b"").is_err());
    assert!(check(&"t".repeat(33), b"").is_err());
    println!("\ncases: 8");
}
