//! Text as a web form encodes it: how S3 writes keys into notifications and headers.

/// Undoes the encoding of a web form: `+` is a space, `%2B` a plus. A percent sign that encodes
/// nothing stands for itself. `None` where what comes out is no text.
#[must_use]
pub fn form_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let encoded = if byte == b'%' { bytes.get(at + 1..at + 3).and_then(hex_byte) } else { None };
        decoded.push(encoded.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).ok()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(value(high)? * 16 + value(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_as_a_form() {
        assert_eq!(form_decoded("a+b%2Bc%2fd").as_deref(), Some("a b+c/d"));
        assert_eq!(form_decoded("%C3%A9%").as_deref(), Some("é%"));
        assert_eq!(form_decoded("100%zz%2").as_deref(), Some("100%zz%2"));
        assert_eq!(form_decoded("%ff"), None);
    }
}
