//! A text for a receipt computer that reads Shift_JIS.

use daemon::formats::charset::{Charset, Encoder, LOST};
use encoding_rs::SHIFT_JIS;

/// Any text, in each set.
///
/// What is written can be read by a program that knows nothing but the set, says the same as the reduced text, and
/// reduces to itself; nothing turns into `?` or a numeric reference; every ● that was not there before is counted.
pub fn charset(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for charset in [Charset::Cp932, Charset::JisX0208] {
        let encoder = Encoder::new(charset);
        let (mut written, (reduced, counts)) = (Vec::new(), encoder.reduce(&text));
        assert_eq!(encoder.encode(&text, &mut written), counts);
        let read = SHIFT_JIS
            .decode_without_bom_handling_and_without_replacement(&written)
            .expect("written as no program can read it");
        assert_eq!(read, reduced, "bytes and text differ");

        let (again, more) = encoder.reduce(&reduced);
        assert_eq!((again.as_ref(), more.reduced, more.lost), (reduced.as_ref(), 0, 0), "reduced twice");
        for sign in ['?', '&', '#'] {
            assert_eq!(reduced.matches(sign).count(), text.matches(sign).count(), "{sign} out of nothing");
        }
        assert_eq!(reduced.matches(LOST).count(), text.matches(LOST).count() + counts.lost);
        assert_eq!(text == reduced, matches!(reduced, std::borrow::Cow::Borrowed(_)));
    }
    let mut untouched = Vec::new();
    Encoder::new(Charset::Utf8).encode(&text, &mut untouched);
    assert_eq!(untouched, text.as_bytes());
}
