//! Compressed or not: what the client accepts decides (RFC 9110, 12.5.3).

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// Whether the client would have gzip, and not rather the plain text.
pub(super) fn prefers_gzip(headers: &HeaderMap) -> bool {
    let mut gzip = None;
    let mut identity = None;
    let mut any = None;
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    for (coding, weight) in lines.flat_map(|line| line.split(',')).filter_map(weighted) {
        let place = match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *place = Some(weight);
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && identity.is_none_or(|identity| gzip >= identity)
}

/// A coding with its weight in thousandths; none where the weight is no weight.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let (coding, parameter) = item.split_once(';').unwrap_or((item, "q=1"));
    let (key, value) = parameter.split_once('=')?;
    if !key.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some((coding.trim(), thousandths(value.trim())?))
}

/// `0`, `1` or a fraction with at most three digits, as RFC 9110, 12.4.2 writes it.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// `plain` as one gzip member. Level 1: the higher ones cost several times as much for little.
pub(super) fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::new(1));
    // Writing into memory does not fail.
    let packed = encoder.write_all(plain).and_then(|()| encoder.finish());
    Bytes::from(packed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_client_decides() {
        for (accept, gzip) in [
            (&["gzip"][..], true),
            (&["x-gzip"], true),
            (&["GZIP"], true),
            (&["deflate, gzip;q=1.0, *;q=0.5"], true),
            (&["br;q=1.0 , gzip ; q=0.8"], true),
            (&["gzip;Q=0.001"], true),
            (&["*"], true),
            (&["identity", "gzip"], true),
            (&["gzip;q=0.5, identity;q=0.5"], true),
            (&["identity;q=0, gzip;q=0.1"], true),
            (&[], false),
            (&[""], false),
            (&["identity"], false),
            (&["br, deflate, zstd"], false),
            (&["gzip;q=0"], false),
            (&["gzip;q=0.000"], false),
            (&["gzip;q=0, *"], false),
            (&["*;q=0"], false),
            (&["identity;q=1, gzip;q=0.9"], false),
            (&["gzip;q=2"], false),
            (&["gzip;q=-1"], false),
            (&["gzip;q=0.0001"], false),
            (&["gzip;q=+0.5"], false),
            (&["gzip;q=0.+5"], false),
            (&["gzip;q=NaN"], false),
            (&["gzip;q="], false),
            (&["gzip;level=9"], false),
            (&["gzipped"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(prefers_gzip(&headers), gzip, "{accept:?}");
        }
    }
}
