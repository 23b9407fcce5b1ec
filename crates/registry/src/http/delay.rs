//! How long a host wants to be left alone: `Retry-After`, the Go duration that
//! GHCR writes into the body of a 429, and the end of a used-up hour at GitHub.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// No wish for a longer wait is believed: the clock has an end.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The longest of what the headers and the body say, if any says anything; a
/// day at most.
pub(crate) fn asked(headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Duration> {
    let header = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, now));
    let wait = header.max(in_body(&String::from_utf8_lossy(body)));
    let wait = wait.max(used_up(headers, now));
    wait.map(|wait| wait.min(LONGEST))
}

/// Until the limit that GitHub's headers say is used up begins anew.
fn used_up(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if number("x-ratelimit-remaining")? > 0 {
        return None;
    }
    let reset = Timestamp::from_second(number("x-ratelimit-reset")?).ok()?;
    Some(Duration::try_from(reset.duration_since(now)).unwrap_or_default())
}

/// Seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    // A date that has passed asks for nothing.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// `retry-after: 1.16ms, allowed: 44000/minute`, wherever it stands.
fn in_body(body: &str) -> Option<Duration> {
    const KEY: &str = "retry-after:";
    let at = body.to_ascii_lowercase().find(KEY)?;
    // Lower case in ASCII keeps every byte's place.
    let value = body.get(at + KEY.len()..)?.trim_start();
    let end = value
        .find(|c: char| !c.is_alphanumeric() && c != '.')
        .unwrap_or(value.len());
    go_duration(&value[..end])
}

/// A duration as Go prints it: `1h2m3.5s`, `1.16ms`, `250µs`. A bare number
/// counts seconds.
fn go_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = number.parse::<f64>().ok()? * seconds;
        total = total.checked_add(Duration::try_from_secs_f64(part).ok()?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_prints_them() {
        let table = [
            ("1.16ms", Some(1.16e-3)),
            ("250µs", Some(250e-6)),
            ("250us", Some(250e-6)),
            ("42ns", Some(42e-9)),
            ("1h2m3.5s", Some(3723.5)),
            ("90s", Some(90.0)),
            ("12", Some(12.0)),
            ("", None),
            ("ms", None),
            ("1.2.3s", None),
            ("5 parsecs", None),
            ("99999999999999999999999h", None),
        ];
        for (text, seconds) in table {
            let expected = seconds.map(Duration::from_secs_f64);
            assert_eq!(go_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn the_longer_of_header_and_body() {
        let now: Timestamp = "2026-08-30T12:00:00Z".parse().unwrap();
        let ghcr = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.16ms, allowed: 44000/minute"}]}"#;
        let table = [
            (None, ghcr, Some(Duration::from_micros(1160))),
            (Some("3"), ghcr, Some(Duration::from_secs(3))),
            (Some("0"), "Retry-After: 2s", Some(Duration::from_secs(2))),
            (
                Some("Sun, 30 Aug 2026 12:01:05 GMT"),
                "",
                Some(Duration::from_secs(65)),
            ),
            (
                Some("Sun, 30 Aug 2026 11:00:00 GMT"),
                "",
                Some(Duration::ZERO),
            ),
            (Some("18446744073709551615"), "", Some(LONGEST)),
            (Some("Fri, 01 Jan 2100 00:00:00 GMT"), "", Some(LONGEST)),
            (None, "retry-after: 18446744073709551615", Some(LONGEST)),
            (None, "retry-after: 5000000000000000h", Some(LONGEST)),
            (Some("soon"), "", None),
            (None, "<html>", None),
            (None, "retry-after:", None),
        ];
        for (header, body, expected) in table {
            let mut headers = HeaderMap::new();
            if let Some(value) = header {
                headers.insert(RETRY_AFTER, value.parse().unwrap());
            }
            assert_eq!(
                asked(&headers, body.as_bytes(), now),
                expected,
                "{header:?} {body}"
            );
        }
    }

    #[test]
    fn an_hour_of_githubs_that_is_used_up() {
        let now: Timestamp = "2026-08-30T12:00:00Z".parse().unwrap();
        let at = |seconds: i64| (now.as_second() + seconds).to_string();
        let table = [
            ("0", at(90), Some(Duration::from_secs(90))),
            ("0", at(-90), Some(Duration::ZERO)),
            ("0", at(900_000), Some(LONGEST)),
            ("1", at(90), None),
            ("0", "soon".to_owned(), None),
            ("0", i64::MAX.to_string(), None),
            ("", at(90), None),
        ];
        for (remaining, reset, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert("x-ratelimit-remaining", remaining.parse().unwrap());
            headers.insert("x-ratelimit-reset", reset.parse().unwrap());
            assert_eq!(asked(&headers, b"", now), expected, "{remaining} {reset}");
        }
    }
}
