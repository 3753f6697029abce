//! Where a board file is wrong, and how that is shown.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a source file; lines and columns count from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// File, as it was opened.
    pub path: PathBuf,
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

impl Place {
    /// The beginning of a file.
    pub fn start_of(path: &Path) -> Self {
        Self { path: path.to_path_buf(), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// A mistake in a board file or a binding. Its author is at fault in every case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// Where it is.
    pub place: Place,
    /// What is wrong, lower case.
    pub message: String,
    /// What to do about it, where that does not follow from the message.
    pub advice: Option<String>,
}

impl Error {
    /// Says `message` about `place`.
    pub fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into(), advice: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)?;
        self.show_line(formatter)?;
        match &self.advice {
            Some(advice) => write!(formatter, "\n    to do: {advice}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// The line of the file, and a mark below the character.
    fn show_line(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(text) = std::fs::read_to_string(&self.place.path) else { return Ok(()) };
        let Some(line) = text.lines().nth(self.place.line.saturating_sub(1) as usize) else {
            return Ok(());
        };
        let indent = self.place.column.saturating_sub(1) as usize;
        // Tabs stay tabs, so that the mark stands below the right character.
        let blank: String =
            line.chars().take(indent).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(formatter, "\n    {line}\n    {blank}^")
    }
}

impl std::error::Error for Error {}

/// What somebody who wrote `wanted` probably meant, if anything is close to it.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (wanted.chars().count() / 3).clamp(1, 3);
    let close = known.into_iter().map(|word| (distance(wanted, word), word));
    close.filter(|(changes, _)| *changes <= bound).min().map(|(_, word)| word)
}

/// Characters to insert, remove or replace to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, character) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
