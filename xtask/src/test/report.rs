//! Counts cases from what `cargo test` prints.

use std::fmt;
use std::ops::AddAssign;

/// Cases by their end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Cases that held.
    pub passed: u64,
    /// Cases that did not.
    pub failed: u64,
    /// Cases that could not be tried here.
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Reads the output line by line.
///
/// A test function is one case, unless it prints `cases: N`: then it is N. A line `skipped: WHY`
/// is one case that could not be tried; it is shown.
#[derive(Default)]
pub struct Counter {
    counts: Counts,
    failures: Vec<String>,
    notices: Vec<String>,
    recent: Vec<String>,
    /// Functions of this binary that ended without trying anything: they did not pass.
    skipped_functions: u64,
}

impl Counter {
    /// Takes one line.
    pub fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(count) =
            line.strip_prefix("cases: ").and_then(|count| count.parse::<u64>().ok())
        {
            // The function itself is counted by the summary line.
            self.counts.passed += count.saturating_sub(1);
        } else if let Some(why) = line.strip_prefix("skipped: ") {
            self.notices.push(format!("skipped: {why}"));
            self.counts.skipped += 1;
            self.skipped_functions += 1;
        } else if let Some(summary) = line.strip_prefix("test result: ") {
            self.summary(summary);
        } else if line.starts_with("test ") && line.ends_with("FAILED") {
            self.failures.push(line.to_owned());
        } else if line.starts_with("figure: ") {
            self.notices.push(line.to_owned());
        }
        self.recent.push(line.to_owned());
        if self.recent.len() > 4000 {
            self.recent.drain(..2000);
        }
    }

    fn summary(&mut self, summary: &str) {
        let number = |word: &str| -> u64 {
            summary
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
                .unwrap_or(0)
        };
        self.counts.passed += number("passed").saturating_sub(self.skipped_functions);
        self.skipped_functions = 0;
        self.counts.failed += number("failed");
        self.counts.skipped += number("ignored");
        if number("failed") > 0 {
            self.notices.append(&mut self.recent);
        }
        self.recent.clear();
    }

    /// Lines that someone should see: what was skipped, figures, and the output of what failed.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// The sum so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The names of what failed.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }
}

#[cfg(test)]
mod tests;
