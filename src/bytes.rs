//! An amount of data as a person says it.

use std::fmt;

/// A number of bytes; shown as `512 bytes` or `4.1 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if bytes < 1024 {
            return write!(f, "{bytes} bytes");
        }
        let exponent = (bytes.ilog2() / 10).min(5);
        let whole = bytes >> (10 * exponent);
        let tenths = ((bytes >> (10 * (exponent - 1))) & 1023) * 10 / 1024;
        write!(f, "{whole}.{tenths} {}", units[exponent as usize - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        assert_eq!(Bytes(0).to_string(), "0 bytes");
        assert_eq!(Bytes(1023).to_string(), "1023 bytes");
        assert_eq!(Bytes(1536).to_string(), "1.5 KiB");
        assert_eq!(Bytes(4_412_341_478).to_string(), "4.1 GiB");
    }
}
