//! Signature Version 4 as a server checks it, from what came over the wire and nothing else (IAM user guide, create a
//! signed AWS API request). Written apart from the library that signs.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::stand_in::Came;

/// The secret of the local AWS's only key.
const SECRET: &str = "ekklocal";

/// Fails the test unless the signature covers what came.
#[track_caller]
pub(crate) fn check(came: &Came, region: &str) {
    let authorization = came.header("authorization").expect("a signature");
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").expect("the algorithm");
    let field =
        |name: &str| fields.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).expect("a field");
    let moment = came.header("x-amz-date").expect("a time");
    let scope = format!("{}/{region}/es/aws4_request", &moment[..8]);
    assert_eq!(field("Credential"), format!("ekklocal/{scope}"));
    let signed = field("SignedHeaders");
    let payload = hexadecimal(&Sha256::digest(&came.body));
    assert_eq!(came.header("x-amz-content-sha256"), Some(payload.as_str()));
    let (path, query) = came.path.split_once('?').unwrap_or((&came.path, ""));
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let mut canonical = format!("{}\n{}\n{}\n", came.method, encoded(path), pairs.join("&"));
    for name in signed.split(';') {
        let value = came.header(name).unwrap_or_else(|| panic!("{name} is signed and did not come"));
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{signed}\n{payload}");
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hexadecimal(&Sha256::digest(&canonical)));
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    assert_eq!(field("Signature"), hexadecimal(&hmac(&key, to_sign.as_bytes())), "{canonical}");
}

/// Encodes a path as it came once more, as every service but S3 does.
fn encoded(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().fold(String::new(), |mut text, byte| {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// HMAC-SHA256 (RFC 2104), for keys of at most a block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64, "a key of at most a block");
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or_default() ^ pad).collect() };
    let inner = Sha256::digest([padded(0x36).as_slice(), text].concat());
    Sha256::digest([padded(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
