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
}

impl Error {
    /// Says `message` about `place`.
    pub fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)?;
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
