//! Whether a request that changes something was made by a page of another site.
//!
//! A browser that stands on another site must not be able to send one, not even where that site's
//! name has been made to lead to this machine. Programs send neither of the headers looked at.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use http::uri::Authority;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another site made a browser send this.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let other_site = |site: &HeaderValue| site != "same-origin" && site != "none";
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    headers.get_all(SEC_FETCH_SITE).iter().any(other_site)
        || headers.get_all(ORIGIN).iter().any(|origin| !is_own(origin, host))
}

/// Our own pages lie where the request went, and that is this machine by a name that no other site
/// can have: a name of theirs may be made to lead here.
fn is_own(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host)) && is_loopback(host)
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_are_foreign() {
        let own = "127.0.0.1:10427";
        for (host, origin, site, foreign) in [
            (own, None, None, false),
            (own, None, Some("none"), false),
            (own, Some("http://127.0.0.1:10427"), Some("same-origin"), false),
            ("LocalHost:10427", Some("http://localhost:10427"), None, false),
            ("[::1]:10427", Some("http://[::1]:10427"), None, false),
            (own, Some("http://127.0.0.1:10427"), Some("cross-site"), true),
            (own, None, Some("same-site"), true),
            (own, None, Some(""), true),
            (own, Some("null"), None, true),
            (own, Some("http://127.0.0.1:9090"), None, true),
            (own, Some("https://127.0.0.1:10427"), None, true),
            (own, Some("http://evil.example"), None, true),
            ("evil.example:10427", Some("http://evil.example:10427"), Some("same-origin"), true),
            ("localhost.evil.example", Some("http://localhost.evil.example"), None, true),
            ("", Some("http://"), None, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(site));
            }
            assert_eq!(is_foreign(&headers), foreign, "{host} {origin:?} {site:?}");
        }
    }
}
