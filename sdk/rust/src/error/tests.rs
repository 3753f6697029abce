//! Statuses and counts as devices answer them.
use super::*;

#[test]
fn every_status_becomes_its_error() {
    assert_eq!(done(0), Ok(()));
    for (status, error) in [
        (1, Error::Dropped),
        (2, Error::Refused),
        (3, Error::Failed),
        (4, Error::NotThere),
        (5, Error::Timeout),
        (6, Error::TooOften),
        (7, Error::TooSmall),
        (8, Error::Stopping),
        (99, Error::Failed),
    ] {
        assert_eq!(done(status), Err(error));
        assert_eq!(count(-status), Err(error));
    }
    assert_eq!(count(0), Ok(0));
    assert_eq!(count(i32::MAX), Ok(i32::MAX as u32));
    assert_eq!(count(i32::MIN), Err(Error::Failed));
}
