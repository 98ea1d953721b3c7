//! Flat JSON objects: texts, whole numbers, truth values and null, one object a line.
//!
//! That is all the worker's protocol needs. A JSON library would be compiled into every test binary of every user for it.

use core::fmt::Write as _;
use std::collections::BTreeMap;

/// A value of a flat object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
}

/// An object being written, field by field.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// `{"event":"…"`.
    #[must_use]
    pub fn event(name: &str) -> Self {
        Self(String::from("{")).text("event", name)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        let _ = write!(self.0, "{value}");
        self
    }

    /// The object as a line.
    #[must_use]
    pub fn line(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, key);
        self.0.push(':');
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads a flat object; `None` where the text is anything else.
#[must_use]
pub fn parse(text: &str) -> Option<BTreeMap<String, Value>> {
    let mut reader = Reader(text.trim());
    let mut fields = BTreeMap::new();
    reader.expect('{')?;
    if reader.expect('}').is_none() {
        loop {
            let key = reader.text()?;
            reader.expect(':')?;
            fields.insert(key, reader.value()?);
            if reader.expect(',').is_none() {
                break;
            }
        }
        reader.expect('}')?;
    }
    reader.0.is_empty().then_some(fields)
}

struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn expect(&mut self, c: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(c)?.trim_start();
        Some(())
    }

    fn value(&mut self) -> Option<Value> {
        for (word, value) in
            [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
        {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Some(value);
            }
        }
        if self.0.starts_with('"') {
            return self.text().map(Value::Text);
        }
        let len = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        digits.parse().ok().map(Value::Number)
    }

    fn text(&mut self) -> Option<String> {
        let mut out = String::new();
        let mut chars = self.0.strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => out.push(escaped(&mut chars)?),
                c => out.push(c),
            }
        }
        self.0 = chars.as_str();
        Some(out)
    }
}

/// The character behind a backslash. Pairs of surrogates are not read: a writer of UTF-8 need not escape beyond U+FFFF.
fn escaped(chars: &mut core::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let digits = chars.as_str().get(..4)?;
            *chars = chars.as_str()[4..].chars();
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
        }
        c @ ('"' | '\\' | '/') => c,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let odd = "a \"quoted\" \\ line\nand\ttab \u{1} é 🦀";
        let line = Object::event("run").text("message", odd).number("run", u64::MAX).line();
        let fields = parse(&line).unwrap();
        assert_eq!(fields["message"], Value::Text(String::from(odd)));
        assert_eq!(fields["run"], Value::Number(u64::MAX));
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "one line: {line}");
    }

    #[test]
    fn reads_what_others_write() {
        let fields = parse(" { \"a\" : null , \"b\":true,\"c\":\"\\u00e9\\/\\t\" } ").unwrap();
        let expected = [
            ("a", Value::Null),
            ("b", Value::Bool(true)),
            ("c", Value::Text(String::from("é/\t"))),
        ];
        assert_eq!(fields, expected.map(|(key, value)| (key.to_owned(), value)).into());
        assert_eq!(parse("{}"), Some(BTreeMap::new()));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "{",
            "{}x",
            "[1]",
            "{\"a\":}",
            "{\"a\":-1}",
            "{\"a\":1.5}",
            "{\"a\":[]}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1,}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
