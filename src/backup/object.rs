//! One object, as it comes from the bucket: gzip or plain, by its name and by its first bytes.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;

use super::key::Compression;
use super::values::Splitter;

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A JSON object.
    Value {
        /// Where it begins in the text, in bytes; that of a compressed object is meant uncompressed.
        offset: u64,
        /// It.
        text: Vec<u8>,
    },
    /// A part of the text that is none.
    Unreadable {
        /// Where it begins in the text, in bytes.
        offset: u64,
        /// How many bytes it is long.
        length: u64,
        /// Why.
        why: String,
    },
    /// The object itself cannot be read, or not to its end.
    Damaged {
        /// Why, and from where on.
        why: String,
    },
}

/// Reads an object that comes in pieces of any size. Holds no more of it than one value.
#[derive(Debug)]
pub struct ObjectReader {
    named: Compression,
    state: State,
    splitter: Splitter,
    taken: u64,
}

#[derive(Debug)]
enum State {
    /// Too little has come to tell how it is compressed.
    Begun(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// Nothing more of it can be read.
    Ended,
}

/// What of an object is unpacked at a time: deflate makes at most a thousand times as much of it.
const UNPACKED_AT_ONCE: usize = 4096;
/// The longest of the beginnings that are known.
const BEGINNING: usize = 4;

impl ObjectReader {
    /// Begins with an object whose key names this compression.
    #[must_use]
    pub fn new(named: Compression) -> Self {
        Self { named, state: State::Begun(Vec::new()), splitter: Splitter::default(), taken: 0 }
    }

    /// Takes the next piece of the object.
    pub fn push(&mut self, bytes: &[u8], tell: &mut impl FnMut(Piece)) {
        if let State::Begun(beginning) = &mut self.state {
            beginning.extend_from_slice(bytes);
            if beginning.len() < BEGINNING {
                return;
            }
            self.begin(tell);
        } else {
            self.take(bytes, tell);
        }
    }

    /// Takes the end of the object.
    pub fn end(mut self, tell: &mut impl FnMut(Piece)) {
        if matches!(self.state, State::Begun(_)) {
            self.begin(tell);
        }
        let mut why = None;
        if let State::Gzip(decoder) = &mut self.state {
            if let Err(error) = decoder.try_finish() {
                why = Some(damage(&error, self.taken));
            }
            let text = std::mem::take(decoder.get_mut());
            self.splitter.push(&text, tell);
        }
        self.splitter.end(tell);
        if let Some(why) = why {
            tell(Piece::Damaged { why });
        }
    }

    /// Decides how the object is compressed. Its bytes count; a name that says something else is no harm where what is
    /// there can be read, since a program may have unpacked it and kept the name.
    fn begin(&mut self, tell: &mut impl FnMut(Piece)) {
        let State::Begun(beginning) = std::mem::replace(&mut self.state, State::Plain) else { return };
        let is_text = beginning.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let unreadable = match (self.named, self.named.unreadable()) {
            _ if beginning.starts_with(&[0x1f, 0x8b]) => {
                self.state = State::Gzip(Box::new(MultiGzDecoder::new(Vec::new())));
                None
            }
            _ if beginning.starts_with(b"PK\x03\x04") => Some(not_read("ZIP")),
            _ if is_text => None,
            (_, Some(name)) => Some(not_read(name)),
            (Compression::Gzip, None) if beginning.is_empty() => Some("it is named .gz and is empty".to_owned()),
            (Compression::Gzip, None) => Some("it is named .gz and is no gzip".to_owned()),
            (Compression::None | Compression::Zip | Compression::Snappy | Compression::HadoopSnappy, None) => None,
        };
        if let Some(why) = unreadable {
            self.state = State::Ended;
            tell(Piece::Damaged { why });
        }
        self.take(&beginning, tell);
    }

    fn take(&mut self, bytes: &[u8], tell: &mut impl FnMut(Piece)) {
        match &mut self.state {
            State::Begun(_) | State::Ended => {}
            State::Plain => self.splitter.push(bytes, tell),
            State::Gzip(decoder) => {
                let mut why = None;
                for part in bytes.chunks(UNPACKED_AT_ONCE) {
                    let outcome = decoder.write_all(part);
                    let text = std::mem::take(decoder.get_mut());
                    self.splitter.push(&text, tell);
                    if let Err(error) = outcome {
                        why = Some(damage(&error, self.taken));
                        break;
                    }
                    self.taken += u64::try_from(part.len()).unwrap_or(u64::MAX);
                }
                if let Some(why) = why {
                    self.state = State::Ended;
                    tell(Piece::Damaged { why });
                }
            }
        }
    }
}

fn not_read(compression: &str) -> String {
    format!("it is compressed with {compression}, which ekk does not read")
}

fn damage(error: &std::io::Error, taken: u64) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => format!("its gzip ends in the middle, after {taken} bytes"),
        _ => format!("its gzip is damaged behind byte {taken}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn read(named: Compression, object: &[u8], size: usize) -> Vec<Piece> {
        let mut reader = ObjectReader::new(named);
        let mut pieces = Vec::new();
        for chunk in object.chunks(size.max(1)) {
            reader.push(chunk, &mut |piece| pieces.push(piece));
        }
        reader.end(&mut |piece| pieces.push(piece));
        pieces
    }

    fn value(offset: u64, text: &str) -> Piece {
        Piece::Value { offset, text: text.as_bytes().to_vec() }
    }

    fn damaged(why: &str) -> Vec<Piece> {
        vec![Piece::Damaged { why: why.to_owned() }]
    }

    #[test]
    fn gzip_is_known_by_its_bytes_whatever_its_name() {
        let wanted = [value(0, r#"{"a":1}"#), value(8, r#"{"b":2}"#)];
        for named in [Compression::None, Compression::Gzip, Compression::Snappy] {
            for size in [1, 2, 3, 5, 1000] {
                assert_eq!(read(named, &gzip(b"{\"a\":1}\n{\"b\":2}\n"), size), wanted, "{named:?}");
                assert_eq!(read(named, b"{\"a\":1}\n{\"b\":2}\n", size), wanted, "{named:?}");
            }
        }
    }

    #[test]
    fn members_of_a_gzip_are_one_text() {
        let object = [gzip(b"{\"a\":"), gzip(b""), gzip(b"1}{\"b\":2}")].concat();
        assert_eq!(read(Compression::Gzip, &object, 7), [value(0, r#"{"a":1}"#), value(7, r#"{"b":2}"#)]);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_never_empty() {
        assert_eq!(read(Compression::Gzip, b"", 1), damaged("it is named .gz and is empty"));
        assert_eq!(read(Compression::Gzip, b"\xff\xd8\xff\xe0binary", 3), damaged("it is named .gz and is no gzip"));
        assert_eq!(
            read(Compression::Snappy, b"\xff\x06\x00\x00sNaPpY", 4),
            damaged("it is compressed with Snappy, which ekk does not read")
        );
        assert_eq!(
            read(Compression::None, b"PK\x03\x04rest", 4),
            damaged("it is compressed with ZIP, which ekk does not read")
        );
        assert_eq!(read(Compression::None, b"", 1), []);
    }

    #[test]
    fn half_a_gzip_gives_what_is_whole_in_it_and_says_where_it_ends() {
        let text: String = (0..2000).map(|number| format!("{{\"number\":{number}}}\n")).collect();
        let whole = gzip(text.as_bytes());
        let half = &whole[..whole.len() / 2];
        let pieces = read(Compression::Gzip, half, 100);
        let values = pieces.iter().filter(|piece| matches!(piece, Piece::Value { .. })).count();
        assert!((100..2000).contains(&values), "{values}");
        let why = format!("its gzip ends in the middle, after {} bytes", half.len());
        assert_eq!(pieces.last(), Some(&Piece::Damaged { why }));
    }

    #[test]
    fn a_gzip_with_a_wrong_checksum_or_something_behind_it_is_said() {
        let mut wrong = gzip(b"{\"a\":1}\n");
        let checksum = wrong.len() - 8;
        wrong[checksum] ^= 1;
        let pieces = read(Compression::Gzip, &wrong, 1000);
        assert_eq!(pieces[0], value(0, r#"{"a":1}"#));
        assert!(matches!(&pieces[1], Piece::Damaged { why } if why.contains("checksum")), "{pieces:?}");
        let behind = [gzip(b"{\"a\":1}\n"), b"not a gzip member".to_vec()].concat();
        let pieces = read(Compression::Gzip, &behind, 1000);
        assert_eq!(pieces[0], value(0, r#"{"a":1}"#));
        assert!(matches!(&pieces[1], Piece::Damaged { why } if why.contains("damaged")), "{pieces:?}");
        assert_eq!(pieces.len(), 2);
    }

    proptest! {
        #[test]
        fn a_gzip_cut_anywhere_gives_a_beginning_and_is_never_taken_for_whole(
            numbers in prop::collection::vec(any::<u32>(), 1..40),
            cut in any::<prop::sample::Index>(),
            size in 1_usize..64,
        ) {
            let text: String = numbers.iter().map(|number| format!("{{\"number\":{number}}}")).collect();
            let whole = gzip(text.as_bytes());
            let all = read(Compression::Gzip, &whole, size);
            prop_assert_eq!(all.len(), numbers.len());
            let pieces = read(Compression::Gzip, &whole[..cut.index(whole.len())], size);
            let values: Vec<&Piece> = pieces.iter().filter(|piece| matches!(piece, Piece::Value { .. })).collect();
            prop_assert_eq!(values, all.iter().take(pieces.len()).filter(|one| pieces.contains(one)).collect::<Vec<_>>());
            let is_damaged = matches!(pieces.last(), Some(Piece::Damaged { .. }));
            prop_assert!(is_damaged, "{:?}", pieces);
        }
    }
}
