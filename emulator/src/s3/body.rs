//! The body of a request: taken out of its chunks, and refused where it is not what its checksums say.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::is_signed_in_header;
use crate::{
    request::{Request, as_text},
    response::Failure,
};

/// The checksum headers whose algorithms are known here.
pub(super) const CHECKSUMS: [&str; 4] =
    ["x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha256"];

/// The body as it was meant, after all that vouches for it was checked.
pub(crate) fn read(request: &Request) -> Result<Bytes, Failure> {
    let hash = request.header("x-amz-content-sha256");
    if hash.is_none() && is_signed_in_header(request) {
        return Err(Failure::new(
            400,
            "InvalidRequest",
            "Missing required header for this request: x-amz-content-sha256",
        ));
    }
    let (body, trailers) = match hash {
        Some(hash) if hash.starts_with("STREAMING-") => dechunk(request)?,
        Some("UNSIGNED-PAYLOAD") | None => (request.body.clone(), Vec::new()),
        Some(hash) => {
            if hash != hex(&Sha256::digest(&request.body)) {
                return Err(Failure::new(
                    400,
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ));
            }
            (request.body.clone(), Vec::new())
        }
    };
    if let Some(expected) = request.header("content-md5")
        && expected != BASE64_STANDARD.encode(Md5::digest(&body))
    {
        return Err(bad_digest("Content-MD5"));
    }
    let in_headers =
        request.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), as_text(value)?.to_owned())));
    for (name, expected) in in_headers.chain(trailers) {
        let Some(algorithm) = name.strip_prefix("x-amz-checksum-") else {
            continue;
        };
        if matches!(algorithm, "mode" | "algorithm" | "type") {
            continue;
        }
        let actual = checksum(algorithm, &body).ok_or_else(|| {
            Failure::new(501, "NotImplemented", format!("the emulator does not know checksum {algorithm}"))
        })?;
        if actual != expected {
            return Err(bad_digest(&name));
        }
    }
    Ok(body)
}

/// Whether something vouches for the body, as calls that set something on a bucket must have it.
pub(super) fn has_checksum(request: &Request) -> bool {
    request.header("content-md5").is_some()
        || request.header("x-amz-trailer").is_some_and(|name| CHECKSUMS.contains(&name))
        || CHECKSUMS.iter().any(|name| request.header(name).is_some())
}

pub(super) fn missing_checksum() -> Failure {
    Failure::new(400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

/// The checksum of a body in the form of its header.
pub(super) fn checksum(algorithm: &str, body: &[u8]) -> Option<String> {
    let bytes = match algorithm {
        "crc32" => crc(0xEDB8_8320, 32, body).to_be_bytes()[4..].to_vec(),
        "crc32c" => crc(0x82F6_3B78, 32, body).to_be_bytes()[4..].to_vec(),
        "crc64nvme" => crc(0x9A6C_9329_AC4B_C9B5, 64, body).to_be_bytes().to_vec(),
        "sha256" => Sha256::digest(body).to_vec(),
        _ => return None,
    };
    Some(BASE64_STANDARD.encode(bytes))
}

/// A digest as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A reflected CRC whose register begins and ends inverted.
fn crc(polynomial: u64, bits: u32, body: &[u8]) -> u64 {
    let mut table = [0_u64; 256];
    for (byte, entry) in (0_u64..).zip(&mut table) {
        *entry = (0..8).fold(byte, |value, _| if value & 1 == 1 { (value >> 1) ^ polynomial } else { value >> 1 });
    }
    let ones = u64::MAX >> (64 - bits);
    let register = body.iter().fold(ones, |register, byte| {
        let [low, ..] = (register ^ u64::from(*byte)).to_le_bytes();
        table[usize::from(low)] ^ (register >> 8)
    });
    register ^ ones
}

fn bad_digest(what: &str) -> Failure {
    Failure::new(400, "BadDigest", format!("The {what} you specified did not match the calculated checksum."))
}

type Trailers = Vec<(String, String)>;

/// Takes a body of `aws-chunked` encoding apart: chunks of `LENGTH[;chunk-signature=…]`, a last empty one, trailers.
fn dechunk(request: &Request) -> Result<(Bytes, Trailers), Failure> {
    let incomplete = || Failure::new(400, "IncompleteBody", "The request body terminated unexpectedly");
    let mut rest: &[u8] = &request.body;
    let mut body = BytesMut::new();
    loop {
        let line = take_line(&mut rest).ok_or_else(incomplete)?;
        let length = line.split(';').next().unwrap_or_default();
        let length = Some(length.trim()).filter(|length| !length.starts_with('+')).ok_or_else(incomplete)?;
        let length = usize::from_str_radix(length, 16).map_err(|_| incomplete())?;
        if length == 0 {
            break;
        }
        let chunk = rest.get(..length).ok_or_else(incomplete)?;
        body.extend_from_slice(chunk);
        rest = rest[length..].strip_prefix(b"\r\n").ok_or_else(incomplete)?;
    }
    let mut trailers = Vec::new();
    while let Some(line) = take_line(&mut rest) {
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let announced = request.header("x-amz-decoded-content-length").and_then(|length| length.parse::<usize>().ok());
    if announced != Some(body.len()) {
        return Err(incomplete());
    }
    if let Some(promised) = request.header("x-amz-trailer")
        && !trailers.iter().any(|(name, _)| name == promised)
    {
        return Err(Failure::new(
            400,
            "MalformedTrailerError",
            "The request contained trailing data that was not well-formed",
        ));
    }
    Ok((body.freeze(), trailers))
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.windows(2).position(|window| window == b"\r\n")?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 2..];
    Some(line)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::checksum;

    /// The check values of the CRC catalogue for "123456789".
    #[test]
    fn checksums_have_the_published_check_values() {
        let expected = |bytes: &[u8]| Some(BASE64_STANDARD.encode(bytes));
        assert_eq!(checksum("crc32", b"123456789"), expected(&0xCBF4_3926_u32.to_be_bytes()));
        assert_eq!(checksum("crc32c", b"123456789"), expected(&0xE306_9283_u32.to_be_bytes()));
        assert_eq!(checksum("crc64nvme", b"123456789"), expected(&0xAE8B_1486_0A79_9888_u64.to_be_bytes()));
    }
}
