//! The two ways in which a certificate writes a moment.

use super::any_value;
use crate::bytes::Reader;
use crate::error::Error;

#[cfg(test)]
mod tests;

/// Tags of the two ways.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads a moment as seconds since 1970; earlier ones count as 0.
///
/// # Source
/// RFC 5280, section 4.1.2.5: years before 2050 as UTCTime, others as GeneralizedTime, always with
/// seconds and in UTC.
pub(super) fn parse(reader: &mut Reader<'_>) -> Result<u64, Error> {
    let (tag, mut digits) = any_value(reader)?;
    let year = match tag {
        UTC_TIME => match pair(&mut digits)? {
            year @ 50.. => 1900 + year,
            year => 2000 + year,
        },
        GENERALIZED_TIME => match pair(&mut digits)? * 100 + pair(&mut digits)? {
            year @ 2050.. => year,
            _ => return Err(Error::BadCertificate),
        },
        _ => return Err(Error::BadCertificate),
    };
    let (month, day) = (pair(&mut digits)?, pair(&mut digits)?);
    let (hour, minute, second) = (pair(&mut digits)?, pair(&mut digits)?, pair(&mut digits)?);
    if digits.rest() != b"Z" || hour > 23 || minute > 59 || second > 59 {
        return Err(Error::BadCertificate);
    }
    let days = days_since_1970(year, month, day)?;
    Ok(days
        .map_or(0, |days| u64::from(days) * 86400 + u64::from(hour * 3600 + minute * 60 + second)))
}

/// The next two digits.
fn pair(digits: &mut Reader<'_>) -> Result<u32, Error> {
    match digits.array() {
        Ok([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
            Ok(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        }
        _ => Err(Error::BadCertificate),
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `None` if that is earlier.
fn days_since_1970(year: u32, month: u32, day: u32) -> Result<Option<u32>, Error> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let month_days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return Err(Error::BadCertificate),
    };
    if day == 0 || day > month_days {
        return Err(Error::BadCertificate);
    }
    if year < 1970 {
        return Ok(None);
    }
    // Counted from March, the months before one have 30.6 days on average, rounded.
    let (march_year, march_month) =
        if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    let days = march_year * 365 + leap_days + (march_month * 153 + 2) / 5 + day - 1;
    // 719,468 days lie between the first of March of year 0 and 1970.
    Ok(Some(days - 719_468))
}
