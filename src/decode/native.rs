//! The only unsafe code of the crate: calls of a C inflater, and of instructions that not every
//! processor has. Each is checked on both sides, each is tested.
#![expect(unsafe_code, reason = "a C inflater, and instructions that not every processor has")]

use std::ptr::NonNull;
use std::sync::LazyLock;

use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_decompressor, libdeflate_free_decompressor, libdeflate_gzip_decompress_ex,
};

use super::quotes;
use super::scan::masks::{self, BATCH_WITH_LOOKAHEAD, Carry, Masks};

/// libdeflate's decompressor: whole buffers, faster than any stream.
pub(super) struct Libdeflate(NonNull<libdeflate_decompressor>);

// SAFETY: the decompressor is a block of memory without thread affinity, and `inflate_member`
// takes `&mut self`, so no two threads use it at once.
unsafe impl Send for Libdeflate {}

/// What inflating one gzip member came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// The member took so many bytes of input and gave so many of output.
    Whole { consumed: usize, produced: usize },
    /// The output does not fit.
    NoSpace,
    /// Not gzip, truncated, or its checksum is wrong.
    Bad,
}

impl Libdeflate {
    /// Allocates a decompressor; `None` without memory.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: takes no arguments; null is turned into `None`.
        NonNull::new(unsafe { libdeflate_alloc_decompressor() }).map(Self)
    }

    /// Inflates the gzip member at the start of `input` into `output`.
    ///
    /// The safe binding does not tell how much input a member took, and so would hide a second one.
    pub(super) fn inflate_member(&mut self, input: &[u8], output: &mut [u8]) -> Member {
        let (mut consumed, mut produced) = (0_usize, 0_usize);
        // SAFETY: both pointers are valid for the lengths passed with them, the decompressor is
        // alive and not shared, and the two counters outlive the call.
        let result = unsafe {
            libdeflate_gzip_decompress_ex(
                self.0.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                output.as_mut_ptr().cast(),
                output.len(),
                &raw mut consumed,
                &raw mut produced,
            )
        };
        match result {
            0 if consumed <= input.len() && produced <= output.len() && consumed > 0 => {
                Member::Whole { consumed, produced }
            }
            3 => Member::NoSpace,
            _ => Member::Bad,
        }
    }
}

impl Drop for Libdeflate {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`, freed once.
        unsafe { libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

/// A way to classify a batch.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// The instructions that it is made of.
    pub name: &'static str,
    pub(super) classify: fn(&[u8; BATCH_WITH_LOOKAHEAD], &mut Carry, &mut [Masks; 4]),
}

/// For every processor.
const PORTABLE: Way = Way { name: "portable", classify: masks::portable::classify };

/// The ways that this processor has, the widest first.
#[must_use]
pub fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let common = is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("popcnt");
        if common && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has all four features, asked above.
            let classify =
                |batch: &_, carry: &mut _, out: &mut _| unsafe { masks::avx512::classify(batch, carry, out) };
            ways.push(Way { name: "AVX-512", classify });
        }
        if common && is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has all three features, asked above.
            let classify = |batch: &_, carry: &mut _, out: &mut _| unsafe { masks::avx2::classify(batch, carry, out) };
            ways.push(Way { name: "AVX2", classify });
        }
    }
    ways.push(PORTABLE);
    ways
}

/// The widest way, looked up once.
pub(super) fn widest() -> Way {
    static WIDEST: LazyLock<Way> = LazyLock::new(|| ways().first().copied().unwrap_or(PORTABLE));
    *WIDEST
}

/// A way to find the quotes of a plain text: see [`quotes`].
pub(super) type FindQuotes = fn(&[u8], &mut Vec<u64>) -> bool;

/// The ways that this processor has, the widest first.
pub(super) fn quote_ways() -> Vec<FindQuotes> {
    let mut ways: Vec<FindQuotes> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has both features, asked above.
            ways.push(|text, masks| unsafe { quotes::avx512::quotes(text, masks) });
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the feature, asked above.
            ways.push(|text, masks| unsafe { quotes::avx2::quotes(text, masks) });
        }
    }
    ways.push(quotes::portable::quotes);
    ways
}

/// The widest way, looked up once.
pub(super) fn quoter() -> FindQuotes {
    static WIDEST: LazyLock<FindQuotes> =
        LazyLock::new(|| quote_ways().first().copied().unwrap_or(quotes::portable::quotes));
    *WIDEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).and_then(|()| encoder.finish()).unwrap_or_default()
    }

    #[test]
    fn a_member_reports_what_it_took_and_gave() {
        let mut two = gzip(b"first");
        let first = two.len();
        two.extend(gzip(b"second"));
        let mut inflater = Libdeflate::new().expect("memory");
        let mut out = [0; 5];
        assert_eq!(inflater.inflate_member(&two, &mut out), Member::Whole { consumed: first, produced: 5 });
        assert_eq!(&out, b"first");
        assert_eq!(inflater.inflate_member(&two[first..], &mut out), Member::NoSpace);
        assert_eq!(inflater.inflate_member(&two[..first - 1], &mut out), Member::Bad);
        assert_eq!(inflater.inflate_member(&[], &mut out), Member::Bad);
    }
}
