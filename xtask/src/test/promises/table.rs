//! Tables of promises in Markdown, between two markers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Promises, by what stands above their column.
const PROMISES: [&str; 5] =
    ["1 firmware boots", "2 TLS 1.3", "3 WebAssembly", "4 enrolment", "5 whole workflow"];
/// A promise that was kept.
const PASSED: &str = "passed";
/// A promise that nobody tried.
const NOT_RUN: &str = "not run";
/// Characters of a reason that a cell has room for.
const REASON_CHARS_MAX: usize = 160;

/// Where a cell stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The row.
    pub board: String,
    /// The column, from 1.
    pub promise: u64,
}

/// What the cells say.
pub type Cells = BTreeMap<Place, String>;

/// What a cell says of an outcome.
pub fn word(failure: Option<&str>) -> String {
    let Some(why) = failure else { return PASSED.to_owned() };
    let plain = |letter: char| if letter == '|' || letter.is_control() { ' ' } else { letter };
    let why: String = why.chars().map(plain).take(REASON_CHARS_MAX).collect();
    format!("failed: {}", why.trim())
}

fn markers(name: &str) -> [String; 2] {
    [format!("<!-- promises: {name} -->\n"), "<!-- end of promises -->".to_owned()]
}

/// What stands between the markers.
pub fn block<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let [start, end] = markers(name);
    Some(text.split_once(&start)?.1.split_once(&end)?.0)
}

/// The text with something else between the markers.
pub fn replaced(text: &str, name: &str, block: &str) -> Option<String> {
    let [start, end] = markers(name);
    let (before, rest) = text.split_once(&start)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{start}{block}{end}{after}"))
}

/// Reads a table.
pub fn parse(block: &str) -> Cells {
    let mut cells = Cells::new();
    for line in block.lines().filter(|line| line.starts_with("| ")) {
        let mut words = line.trim_matches('|').split('|').map(str::trim);
        let board = words.next().unwrap_or_default();
        if board == "Board" {
            continue;
        }
        for (promise, word) in (1..).zip(words).filter(|(_, word)| *word != NOT_RUN) {
            cells.insert(Place { board: board.to_owned(), promise }, word.to_owned());
        }
    }
    cells
}

/// Writes a table with all boards.
pub fn render(cells: &Cells) -> String {
    let mut text = format!("| Board | {} |\n|---|---|---|---|---|---|\n", PROMISES.join(" | "));
    for board in wasmbed_catalog::BOARDS {
        let word = |promise| {
            let place = Place { board: board.name.to_owned(), promise };
            cells.get(&place).map_or(NOT_RUN, String::as_str)
        };
        let words: Vec<&str> = (1..).take(PROMISES.len()).map(word).collect();
        let _ = writeln!(text, "| {} | {} |", board.name, words.join(" | "));
    }
    text
}

/// One cell for all API servers: what they agree on, or what each says.
pub fn both(servers: &BTreeMap<&str, Cells>) -> Cells {
    let mut places: Vec<&Place> = servers.values().flat_map(Cells::keys).collect();
    places.sort();
    places.dedup();
    let cell = |place: &Place| {
        let word = |cells: &Cells| cells.get(place).map_or(NOT_RUN.to_owned(), |word| short(word));
        let words: Vec<(&str, String)> =
            servers.iter().map(|(server, cells)| (*server, word(cells))).collect();
        let is_agreed = words.iter().all(|(_, word)| *word == words[0].1);
        let each = || words.iter().map(|(server, word)| format!("{server}: {word}"));
        let text =
            if is_agreed { words[0].1.clone() } else { each().collect::<Vec<_>>().join(", ") };
        (place.clone(), text)
    };
    places.into_iter().map(cell).collect()
}

/// Whether it was kept, without the reason.
fn short(word: &str) -> String {
    word.split(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
