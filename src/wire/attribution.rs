//! Who sends this, told in every payload (RFC 9511).

/// Longest attribution, in bytes: the whole probe then stays below the 576 bytes that every IPv4 host takes.
const LONGEST: usize = 200;

/// Why a text is not an attribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAttribution {
    /// Too long for a probe, or nothing.
    #[error("attribution of {0} bytes: must be 1 to 200 bytes long")]
    Length(usize),
    /// Something that no URI holds; the offset counts bytes.
    #[error(
        "attribution has a byte at offset {0} that is not printable ASCII: must be a URI without spaces"
    )]
    NotPrintable(usize),
    /// No scheme.
    #[error("attribution {0:?} is not a URI: must begin with a scheme, as in mailto:someone@example.net")]
    NoScheme(String),
}

/// What a payload begins with: the URI, the zero octet that ends it, and another where that makes the
/// length even, so that the balancing word falls on a 16-bit boundary. Nothing without attribution.
pub(super) fn lead(attribution: Option<&str>) -> Result<Vec<u8>, BadAttribution> {
    let Some(uri) = attribution else { return Ok(Vec::new()) };
    check(uri)?;
    let mut lead = uri.as_bytes().to_vec();
    lead.push(0);
    if !lead.len().is_multiple_of(2) {
        lead.push(0);
    }
    Ok(lead)
}

fn check(uri: &str) -> Result<(), BadAttribution> {
    if uri.is_empty() || uri.len() > LONGEST {
        return Err(BadAttribution::Length(uri.len()));
    }
    if let Some(offset) = uri.bytes().position(|byte| !byte.is_ascii_graphic()) {
        return Err(BadAttribution::NotPrintable(offset));
    }
    let begins_with_scheme =
        uri.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    if begins_with_scheme { Ok(()) } else { Err(BadAttribution::NoScheme(uri.to_owned())) }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribution_that_cannot_be_sent_is_named_with_its_rule() {
        assert_eq!(lead(Some("")), Err(BadAttribution::Length(0)));
        assert_eq!(lead(Some(&"a:".repeat(101))), Err(BadAttribution::Length(202)));
        assert_eq!(lead(Some("mailto:a b@example.net")), Err(BadAttribution::NotPrintable(8)));
        assert_eq!(lead(Some("mailto:é@example.net")), Err(BadAttribution::NotPrintable(7)));
        for bad in ["noc@example.net", ":x", "mailto:", "1:x"] {
            assert_eq!(lead(Some(bad)), Err(BadAttribution::NoScheme(bad.to_owned())));
        }
    }

    #[test]
    fn the_uri_stands_at_the_first_octet_and_is_ended_by_a_zero() {
        assert_eq!(lead(Some("tel:1")).unwrap(), b"tel:1\0");
        assert_eq!(lead(Some("tel:12")).unwrap(), b"tel:12\0\0");
        assert!(lead(None).unwrap().is_empty());
    }
}
