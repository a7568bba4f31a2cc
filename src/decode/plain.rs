//! The tape of a plain record, as nearly all are: ASCII on one line, nothing between its tokens, no
//! escape. Each of its strings lies between two quotes, and all quotes are found at once, so it is
//! read in two thirds of the time that a parser of all JSON takes, and not copied.
//!
//! What is anything else, or no JSON, is left to that parser: here nothing is refused, and no error
//! is found. What is read here gives the same tape there; tests hold that.

use simd_json::{Node, StaticNode};

use super::native;

/// Objects and arrays within each other; records have a few.
const MAX_DEPTH: usize = 32;

/// Digits that surely fit into 64 bits.
const MAX_DIGITS: usize = 18;

/// Reads plain records, with memory that it keeps.
#[derive(Debug, Default)]
pub(super) struct Plain {
    quotes: Vec<u64>,
}

impl Plain {
    /// Puts the nodes of `record` onto the empty `tape`; `None` if it is not plain, or no JSON.
    pub(super) fn read<'r>(&mut self, record: &'r [u8], tape: &mut Vec<Node<'r>>) -> Option<()> {
        if !native::quoter()(record, &mut self.quotes) {
            return None;
        }
        let text = std::str::from_utf8(record).ok()?;
        read(text, Quotes { masks: &self.quotes, block: 0, left: *self.quotes.first()? }, tape)
    }
}

/// An object or array that is being read.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Its node.
    node: usize,
    is_object: bool,
    len: usize,
}

/// One loop, because nearly all that it does is to take strings.
fn read<'r>(text: &'r str, mut quotes: Quotes<'_>, tape: &mut Vec<Node<'r>>) -> Option<()> {
    let next = |at: usize| text.as_bytes().get(at).copied();
    let mut opened = [Open { node: 0, is_object: false, len: 0 }; MAX_DEPTH];
    let (mut depth, mut at, mut is_name) = (0, 0, false);
    loop {
        match next(at)? {
            b'"' => {
                // The next quote is this one: all before it were taken.
                let (_, end) = (quotes.next()?, quotes.next()?);
                tape.push(Node::String(text.get(at + 1..end)?));
                at = end + 1;
                if is_name {
                    if next(at)? != b':' {
                        return None;
                    }
                    (at, is_name) = (at + 1, false);
                    continue;
                }
            }
            _ if is_name => return None,
            bracket @ (b'{' | b'[') => {
                let is_object = bracket == b'{';
                let node = tape.len();
                // What is in it is known when it ends.
                tape.push(filled(is_object, 0, 0));
                at += 1;
                if next(at)? == closing(is_object) {
                    at += 1;
                } else {
                    *opened.get_mut(depth)? = Open { node, is_object, len: 0 };
                    (depth, is_name) = (depth + 1, is_object);
                    continue;
                }
            }
            _ => {
                let (atom, len) = atom(text.get(at..)?)?;
                tape.push(Node::Static(atom));
                at += len;
            }
        }
        // Behind a value.
        loop {
            let Some(inner) = depth.checked_sub(1).and_then(|innermost| opened.get_mut(innermost)) else {
                return (at == text.len()).then_some(());
            };
            inner.len += 1;
            let sign = next(at)?;
            at += 1;
            if sign == b',' {
                is_name = inner.is_object;
                break;
            }
            if sign != closing(inner.is_object) {
                return None;
            }
            tape[inner.node] = filled(inner.is_object, inner.len, tape.len() - inner.node - 1);
            depth -= 1;
        }
    }
}

fn filled<'r>(is_object: bool, len: usize, count: usize) -> Node<'r> {
    if is_object { Node::Object { len, count } } else { Node::Array { len, count } }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// A number or a word, and how long it is.
fn atom(text: &str) -> Option<(StaticNode, usize)> {
    let len = text.bytes().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(text.len());
    let atom = match &text[..len] {
        "true" => StaticNode::Bool(true),
        "false" => StaticNode::Bool(false),
        "null" => StaticNode::Null,
        digits => number(digits)?,
    };
    Some((atom, len))
}

/// A number in digits; fractions and exponents are left to the parser.
fn number(text: &str) -> Option<StaticNode> {
    let starts_well = text == "0" || !text.starts_with('0');
    let plain = starts_well && text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok().map(StaticNode::U64)).flatten()
}

/// The places of all quotes, one after the other.
struct Quotes<'m> {
    masks: &'m [u64],
    block: usize,
    left: u64,
}

impl Iterator for Quotes<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.left == 0 {
            self.block += 1;
            self.left = *self.masks.get(self.block)?;
        }
        let at = self.block * super::quotes::BLOCK + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the parser of all JSON makes of a text.
    fn parsed(text: &str) -> Option<Vec<String>> {
        let mut bytes = text.as_bytes().to_vec();
        simd_json::to_tape(&mut bytes).ok().map(|tape| tape.0.iter().map(|node| format!("{node:?}")).collect())
    }

    fn plain(text: &str) -> Option<Vec<String>> {
        let mut tape = Vec::new();
        Plain::default().read(text.as_bytes(), &mut tape)?;
        Some(tape.iter().map(|node| format!("{node:?}")).collect())
    }

    #[test]
    fn plain_records_are_read_and_others_are_left() {
        for text in [
            r"{}",
            r"[]",
            r#"{"a":[],"b":{},"c":[{"d":null}],"e":[1,"x",[true,false]],"":""}"#,
            r#"{"n":0,"m":123456789012345678,"s":"{[,]}:"}"#,
            r#""alone""#,
        ] {
            assert!(plain(text).is_some() && plain(text) == parsed(text), "{text}");
        }
        for text in [
            "",
            "{",
            "}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1]"#,
            r"[1,]",
            r"[1 ,2]",
            r#"{"a":1}x"#,
            r#"{"a":01}"#,
            r#"{"a":1.5}"#,
            r#"{"a":-1}"#,
            r#"{"a":nul}"#,
            r#"{"a":"b\n"}"#,
            r#"{"a":"ä"}"#,
            "{\n}",
            r#"{"a":"b"#,
            r#"{1"a":1}"#,
            r#"{"a":1,,"b":2}"#,
            r#"{"a""b":1}"#,
            r#"{"a":"b""c"}"#,
            &"[".repeat(MAX_DEPTH + 1),
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            r"[ -!#-\[\]-~]{0,70}".prop_map(|text| format!("\"{text}\"")),
            any::<u64>().prop_map(|number| number.to_string()),
            Just("true".to_owned()),
            Just("null".to_owned()),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(|all| format!("[{}]", all.join(","))),
                proptest::collection::vec(("[a-z]{0,9}", inner), 0..6).prop_map(|all| {
                    let members: Vec<String> = all.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_tape_is_that_of_the_parser(text in json()) {
            let large = |number: &str| number.len() > MAX_DIGITS;
            let numbers = text.split(|c: char| !c.is_ascii_digit()).any(large);
            prop_assert!(numbers || plain(&text).is_some());
            prop_assert!(plain(&text).is_none_or(|tape| Some(tape) == parsed(&text)));
        }

        #[test]
        fn what_is_damaged_is_read_as_the_parser_reads_it_or_left(
            text in json(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![Just(""), Just("\""), Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("0"), Just(" "), Just("\\"), Just("e")],
        ) {
            let at = at.index(text.len());
            let damaged = [&text[..at], byte, &text[at + 1..]].concat();
            prop_assert!(plain(&damaged).is_none_or(|tape| Some(tape) == parsed(&damaged)), "{}", damaged);
        }
    }
}
