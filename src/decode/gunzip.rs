//! Inflates an object into one reused buffer: every member, up to an exact cap.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::native::{Libdeflate, Member};
use super::scan::masks::PADDING;

/// Why an object's bytes could not be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GunzipError {
    /// More than the cap comes out of it.
    #[error("decompresses to more than {cap} bytes; raise --max-object-size if it is a log file that you trust")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
    },
    /// The gzip stream ends early or is damaged.
    #[error("gzip stream is truncated or corrupt: {good} bytes of JSON came out before {reason}")]
    Corrupt {
        /// Decompressed bytes up to the damage.
        good: u64,
        /// What the decompressor says.
        reason: String,
    },
    /// The decompressor could not be set up.
    #[error("no memory for a decompressor")]
    NoMemory,
}

/// Decompressed bytes, with readable padding behind them; reused from object to object.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    len: usize,
}

/// What has become larger than this is given back after the object that needed it.
const KEPT: usize = 64 << 20;

/// Empties an object's stored bytes; gives memory back if it was an unusually large object.
pub fn release_stored(stored: &mut Vec<u8>) {
    if stored.capacity() > KEPT {
        *stored = Vec::new();
    }
    stored.clear();
}

impl Buffer {
    /// The bytes, without padding.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The bytes and [`PADDING`] zeros.
    #[must_use]
    pub fn padded(&self) -> &[u8] {
        &self.bytes[..self.len + PADDING]
    }

    /// Puts plain bytes in.
    pub fn fill(&mut self, plain: &[u8]) {
        self.reserve(plain.len());
        self.bytes[..plain.len()].copy_from_slice(plain);
        self.finish(plain.len());
    }

    /// Forgets the object; gives memory back if it was an unusually large one.
    pub fn release(&mut self) {
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        self.len = 0;
    }

    fn reserve(&mut self, len: usize) {
        if self.bytes.len() < len + PADDING {
            self.bytes.resize(len + PADDING, 0);
        }
    }

    fn finish(&mut self, len: usize) {
        self.len = len;
        self.bytes[len..len + PADDING].fill(0);
    }
}

/// A decompressor, reused from object to object.
pub struct Gunzip {
    inflater: Libdeflate,
    cap: usize,
}

impl Gunzip {
    /// Sets a decompressor up; `cap` is the most bytes that one object may decompress to.
    ///
    /// # Errors
    /// [`GunzipError::NoMemory`].
    pub fn new(cap: usize) -> Result<Self, GunzipError> {
        Ok(Self { inflater: Libdeflate::new().ok_or(GunzipError::NoMemory)?, cap })
    }

    /// Whether `stored` starts as gzip does.
    #[must_use]
    pub fn is_gzip(stored: &[u8]) -> bool {
        stored.starts_with(&[0x1f, 0x8b])
    }

    /// Puts the content of `stored` into `buffer`: all gzip members of it, or as it is.
    ///
    /// # Errors
    /// [`GunzipError`]; the buffer's content is then undefined.
    pub fn read(&mut self, stored: &[u8], buffer: &mut Buffer) -> Result<(), GunzipError> {
        if !Self::is_gzip(stored) {
            if stored.len() > self.cap {
                return Err(GunzipError::TooLarge { cap: self.cap });
            }
            buffer.fill(stored);
            return Ok(());
        }
        let (mut rest, mut len) = (stored, 0);
        // Writers that pad to a block size leave zeros behind the last member.
        while !rest.iter().all(|b| *b == 0) {
            let (consumed, produced) = self.member(stored, rest, len, buffer)?;
            rest = &rest[consumed..];
            len += produced;
        }
        buffer.finish(len);
        Ok(())
    }

    fn member(
        &mut self,
        stored: &[u8],
        rest: &[u8],
        len: usize,
        buffer: &mut Buffer,
    ) -> Result<(usize, usize), GunzipError> {
        let most = self.cap - len;
        let mut space = first_guess(rest).min(most);
        loop {
            buffer.reserve(len + space);
            match self.inflater.inflate_member(rest, &mut buffer.bytes[len..len + space]) {
                Member::Whole { consumed, produced } => return Ok((consumed, produced)),
                Member::NoSpace if space == most => return Err(GunzipError::TooLarge { cap: self.cap }),
                Member::NoSpace => space = (space * 2).min(most),
                Member::Bad => return Err(damage(stored, self.cap)),
            }
        }
    }
}

/// The last four bytes are the size of the last member, if nobody lies; deflate gives 1032 at most
/// for each byte. A wrong guess costs another try, never a wrong result.
fn first_guess(gzip: &[u8]) -> usize {
    let tail: [u8; 4] = gzip.last_chunk().copied().unwrap_or_default();
    let claimed = u32::from_le_bytes(tail) as usize;
    // Logs come to some ten times their size; a damaged file claims anything.
    claimed.min(gzip.len().saturating_mul(64)).max(4 << 10)
}

/// Reads a damaged stream once more, slowly, to tell how far it is good.
fn damage(stored: &[u8], cap: usize) -> GunzipError {
    let mut stream = MultiGzDecoder::new(stored);
    let (mut good, mut chunk) = (0_u64, [0; 8 << 10]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return GunzipError::Corrupt { good, reason: "data that is not gzip".to_owned() },
            Ok(n) => good += n as u64,
            Err(error) => return GunzipError::Corrupt { good, reason: error.to_string() },
        }
        if good > cap as u64 {
            return GunzipError::TooLarge { cap };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).and_then(|()| encoder.finish()).expect("in memory")
    }

    fn read(stored: &[u8], cap: usize) -> Result<Vec<u8>, GunzipError> {
        let mut buffer = Buffer::default();
        Gunzip::new(cap)?.read(stored, &mut buffer)?;
        assert!(buffer.padded()[buffer.json().len()..].iter().all(|b| *b == 0));
        Ok(buffer.json().to_vec())
    }

    #[test]
    fn every_member_is_read_even_an_equal_one() {
        let stored = [gzip(b"one"), gzip(b"two"), gzip(b"one"), vec![0; 512]].concat();
        assert_eq!(read(&stored, 9), Ok(b"onetwoone".to_vec()));
    }

    #[test]
    fn the_cap_is_exact() {
        let data = vec![b'x'; 100_000];
        assert_eq!(read(&gzip(&data), 100_000).map(|b| b.len()), Ok(100_000));
        assert_eq!(read(&gzip(&data), 99_999), Err(GunzipError::TooLarge { cap: 99_999 }));
        assert_eq!(read(&data, 99_999), Err(GunzipError::TooLarge { cap: 99_999 }));
        let two = [gzip(b"12345"), gzip(b"678")].concat();
        assert_eq!(read(&two, 8).map(|b| b.len()), Ok(8));
        assert_eq!(read(&two, 7), Err(GunzipError::TooLarge { cap: 7 }));
    }

    #[test]
    fn a_lying_size_is_only_a_hint() {
        let mut stored = gzip(&vec![b'x'; 50_000]);
        let end = stored.len();
        // The trailer's size is checked by libdeflate: a lie is damage, not a wrong result.
        stored[end - 4..].copy_from_slice(&1_u32.to_le_bytes());
        assert!(matches!(read(&stored, 1 << 20), Err(GunzipError::Corrupt { .. })));
    }

    #[test]
    fn what_a_large_object_needed_is_given_back() {
        let (mut stored, mut buffer) = (vec![b'x'; KEPT + 1], Buffer::default());
        buffer.fill(&stored);
        release_stored(&mut stored);
        buffer.release();
        assert_eq!((stored.capacity(), buffer.bytes.capacity(), buffer.json().len()), (0, 0, 0));
        let mut usual = vec![b'x'; 1_000];
        buffer.fill(&usual);
        release_stored(&mut usual);
        buffer.release();
        assert!(usual.is_empty() && usual.capacity() >= 1_000 && buffer.bytes.capacity() >= 1_000);
    }

    #[test]
    fn damage_tells_how_far_it_came() {
        let data: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let stored = gzip(&data);
        let Err(GunzipError::Corrupt { good, .. }) = read(&stored[..stored.len() / 2], 1 << 30) else {
            panic!("a truncated stream must fail");
        };
        assert!(good > 100_000 && good < 800_000, "{good}");
        assert!(matches!(read(&[0x1f, 0x8b], 100), Err(GunzipError::Corrupt { good: 0, .. })));
        let garbage = [gzip(b"one"), b"not gzip".to_vec()].concat();
        assert!(matches!(read(&garbage, 100), Err(GunzipError::Corrupt { good: 3, .. })));
    }
}
