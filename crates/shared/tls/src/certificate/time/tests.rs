//! Moments against the time crate, on every day of 150 years.

use time::{Date, Duration, Month, PrimitiveDateTime, Time};

use super::{GENERALIZED_TIME, UTC_TIME, parse};
use crate::bytes::Reader;
use crate::error::Error;

fn read(tag: u8, text: &str) -> Result<u64, Error> {
    let element = [&[tag, text.len() as u8], text.as_bytes()].concat();
    parse(&mut Reader::new(&element))
}

#[test]
fn every_day_from_1950_to_2100_is_read_as_the_time_crate_reads_it() {
    let mut day = Date::from_calendar_date(1950, Month::January, 1).unwrap();
    let mut days = 0;
    while day.year() < 2101 {
        let clock =
            Time::from_hms((days % 24) as u8, (days % 60) as u8, (days % 59) as u8).unwrap();
        let expected = PrimitiveDateTime::new(day, clock).assume_utc().unix_timestamp().max(0);
        let (year, month) = (day.year(), u8::from(day.month()));
        let rest = format!(
            "{month:02}{:02}{:02}{:02}{:02}Z",
            day.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        );
        let read = if year < 2050 {
            read(UTC_TIME, &format!("{:02}{rest}", year % 100))
        } else {
            read(GENERALIZED_TIME, &format!("{year}{rest}"))
        };
        assert_eq!(read, Ok(expected as u64), "{day}");
        day += Duration::days(1);
        days += 1;
    }
    println!("\ncases: {days}");
}

#[test]
fn what_is_no_moment_is_refused() {
    let cases = [
        (UTC_TIME, ""),
        (UTC_TIME, "250101000000"),
        (UTC_TIME, "250100000000Z"),
        (UTC_TIME, "250132000000Z"),
        (UTC_TIME, "250431000000Z"),
        (UTC_TIME, "250229000000Z"),
        (UTC_TIME, "250001000000Z"),
        (UTC_TIME, "250101240000Z"),
        (UTC_TIME, "250101006000Z"),
        (UTC_TIME, "250101000060Z"),
        (UTC_TIME, "250101000000ZZ"),
        (UTC_TIME, "2501010000 0Z"),
        (UTC_TIME, "20500101000000Z"),
        (GENERALIZED_TIME, "20491231235959Z"),
        (GENERALIZED_TIME, "20500101000000.5Z"),
        (GENERALIZED_TIME, "21000229000000Z"),
        (4, "250101000000Z"),
    ];
    for (tag, text) in cases {
        assert_eq!(read(tag, text), Err(Error::BadCertificate), "{text}");
    }
    println!("\ncases: {}", cases.len());
}
